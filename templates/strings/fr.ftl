# Textes des mises en page et des pages, pour {{t "key"}}.
tagline = Photo et café, depuis le port
order-tagline = À propos de votre commande
footer-why = Vous recevez cet e-mail parce que vous avez fait un achat chez nous.
footer-why-order = Vous recevez cet e-mail parce qu’il concerne une commande passée chez nous.
footer-unsubscribe = Se désabonner
footer-preferences = Choisir les e-mails que vous recevez

page-title = Les e-mails que nous vous envoyons
page-lead = Quels e-mails préférez-vous ne plus recevoir ? Un clic suffit, l’effet est immédiat.
page-education = Les conseils sur mes achats
page-education-why = De courts e-mails pour mieux profiter de votre appareil photo ou de votre café.
page-marketing = Les demandes d’avis et les offres
page-marketing-why = Des questions sur votre expérience, et des idées qui vont avec ce que vous avez.
page-all = Tout, sauf les e-mails de commande
page-all-why = Ni conseils, ni demandes, ni offres.
page-stop = Ne plus les recevoir
page-stop-all = Ne plus rien recevoir
page-orders = Nous vous écrirons toujours au sujet d’une commande que vous avez passée : reçue, expédiée ou remboursée.
page-done-title = C’est fait.
page-done = Vous ne recevrez plus ces e-mails. Un message déjà parti peut encore vous parvenir aujourd’hui.
page-more = Arrêter d’autres e-mails
page-back = Vers la boutique
