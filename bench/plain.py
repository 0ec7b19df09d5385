"""What a look-up is set against: one SELECT of a stored answer by Flask and psycopg2, one connection a worker."""

import os

from flask import Flask, Response, request

from services.postgres import Connection, connect

TABLE = "CREATE TABLE plain (number TEXT PRIMARY KEY, answer TEXT NOT NULL)"


def create_app() -> Flask:
    app = Flask(__name__)
    held: list[Connection] = []

    @app.get("/v1/verify")
    def verify() -> Response:
        if not held:
            held.append(connect(os.environ["CERTMARK_DATABASE_URL"], autocommit=True))
        with held[0].cursor() as cur:
            cur.execute("SELECT answer FROM plain WHERE number = %s", (request.args["q"],))
            (answer,) = cur.fetchone() or ("",)
        return Response(answer, content_type="application/json")

    return app
