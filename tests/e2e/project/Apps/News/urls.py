from Apps.News import views

urlpatterns = [
    (r"/hello", views.Hello),
    (r"/who", views.Who),
    (r"/login", views.Login),
    (r"/logout", views.Logout),
    (r"/cart", views.Cart),
    (r"/kept", views.Kept),
    ("/announce/", views.Announce()),
]
