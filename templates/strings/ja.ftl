# レイアウトとページの文言（{{t "key"}} で使います）
tagline = 港町から、カメラとコーヒーを
order-tagline = ご注文についてのお知らせ
footer-why = このメールは、当店で商品をお買い上げいただいたお客様にお送りしています。
footer-why-order = このメールは、当店でご注文いただいたお客様に、ご注文に関する大切なお知らせとしてお送りしています。
footer-unsubscribe = 配信を停止する
footer-preferences = 受け取るメールを選ぶ

page-title = メール配信の設定
page-lead = 今後の配信を希望されないメールをお選びください。ボタンを押すと、すぐに反映されます。
page-education = お買い上げ商品の使い方
page-education-why = カメラやコーヒーをもっと楽しむための、短いメールです。
page-marketing = レビューのお願いとご案内
page-marketing-why = ご感想のお願いと、お持ちの商品に合うもののご案内です。
page-all = ご注文に関するもの以外すべて
page-all-why = 使い方、レビューのお願い、ご案内のすべてを停止します。
page-stop = 配信を停止する
page-stop-all = すべて停止する
page-orders = ご注文の確認、発送、返金など、ご注文に関するお知らせは引き続きお送りします。
page-done-title = 配信を停止しました
page-done = 今後、該当するメールはお送りいたしません。すでに送信処理が済んだメールが、本日中に届く場合がございます。何卒ご了承ください。
page-more = ほかのメールも停止する
page-back = ショップへ戻る
