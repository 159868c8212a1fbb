from Apps.Chat.views import ChatHandler, LoginHandler, LogoutHandler

urlpatterns = [
    (r"/", ChatHandler),
    (r"/login", LoginHandler),
    (r"/logout", LogoutHandler),
]
