from Apps.News import views

urlpatterns = [
    (r"/hello", views.Hello),
    (r"/who", views.Who),
    (r"/login", views.Login),
    (r"/logout", views.Logout),
    ("/announce/", views.Announce()),
]
