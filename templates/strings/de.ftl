# Texte der Layouts und Seiten, für {{t "key"}}.
tagline = Kameras und Kaffee, direkt vom Hafen
order-tagline = Zu Ihrer Bestellung
footer-why = Sie erhalten diese E-Mail, weil Sie bei uns eingekauft haben.
footer-why-order = Sie erhalten diese E-Mail, weil sie Ihre Bestellung bei uns betrifft.
footer-unsubscribe = Abbestellen
footer-preferences = Auswählen, welche E-Mails Sie erhalten

page-title = Ihre E-Mails von uns
page-lead = Welche E-Mails möchten Sie nicht mehr erhalten? Ein Klick genügt, er gilt sofort.
page-education = Tipps zu meinem Einkauf
page-education-why = Kurze E-Mails, mit denen Sie mehr aus Ihrer Kamera oder Ihrem Kaffee holen.
page-marketing = Bewertungsanfragen und Angebote
page-marketing-why = Fragen nach Ihrer Meinung und Vorschläge, was zu Ihrem Einkauf passt.
page-all = Alles außer Bestellmails
page-all-why = Keine Tipps, keine Anfragen, keine Angebote.
page-stop = Nicht mehr senden
page-stop-all = Alles abbestellen
page-orders = Geht es um eine Bestellung von Ihnen, schreiben wir Ihnen weiterhin: wenn sie eingegangen, verschickt oder erstattet ist.
page-done-title = Erledigt.
page-done = Diese E-Mails erhalten Sie nicht mehr. Was bereits unterwegs ist, kann Sie heute noch erreichen.
page-more = Weitere E-Mails abbestellen
page-back = Zum Shop
