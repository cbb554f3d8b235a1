# Wording of layouts and pages, for {{t "key"}}.
tagline = Cameras and coffee, from the harbour
order-tagline = About your order
footer-why = You get this mail because you bought something from us.
footer-why-order = You get this mail because it is about an order you placed with us.
footer-unsubscribe = Unsubscribe
footer-preferences = Choose which mails you get

page-title = Your mails from us
page-lead = Which mails would you rather not get? One click is enough, and it counts at once.
page-education = Tips on what I bought
page-education-why = Short mails on getting more out of your camera or your coffee.
page-marketing = Review requests and offers
page-marketing-why = Requests for your opinion, and suggestions of what goes with what you have.
page-all = Everything but order mails
page-all-why = No tips, no requests, no offers.
page-stop = Stop these
page-stop-all = Stop all of them
page-orders = We will still write when it is about an order you have placed: that it arrived here, left us or was refunded.
page-done-title = Done.
page-done = You will not get these mails any more. A mail that has already left us may still reach you today.
page-more = Stop other mails too
page-back = To the shop
