from Apps.Chat.views import (
    AccountPage,
    ChatPage,
    LogIn,
    LogOut,
    NewRoom,
    RoomPage,
    SignUp,
    WithPage,
)

urlpatterns = [
    (r"/", ChatPage),
    (r"/rooms", NewRoom),
    (r"/room/([^/]+)", RoomPage),
    (r"/with/([^/]+)", WithPage),
    (r"/account", AccountPage),
    (r"/signup", SignUp),
    (r"/login", LogIn),
    (r"/logout", LogOut),
]
