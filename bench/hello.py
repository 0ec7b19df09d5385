"""The limit for look-ups: the smallest answer that Flask can give on the same server."""

from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)

    @app.get("/v1/verify")
    def hello() -> str:
        return "Hello, world"

    return app
