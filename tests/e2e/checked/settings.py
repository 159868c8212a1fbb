DEBUG = True
PROJECT_NAME = "checked"
SOCKET_IO = {"encoder": "common"}
