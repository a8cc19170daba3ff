"""The sources of a small Flask site with a database, media, a worker and a cron job."""

from __future__ import annotations

DOCKERFILE = """
FROM moonbase/python:3.11
# Only what is imported is compiled: the site starts as fast, and the build takes half as long.
RUN pip install --no-compile flask 'psycopg[binary]' boto3 \\
 && python -c "import boto3.s3.inject, flask, psycopg, werkzeug.serving"
COPY *.py /app/
EXPOSE 80
CMD ["python", "site_app.py"]
"""
STORE = """
import hashlib, os
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

def database():
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5)

def told():
    address = urlsplit(os.environ["DEFAULT_STORAGE_DSN"])
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    bucket, _, host = address.hostname.partition(".")
    port = f":{address.port}" if address.port else ""
    return address, query, bucket, f"https://{host}{port}"  # as django-storage-url does

def bucket():
    import boto3
    from botocore.config import Config

    address, query, name, endpoint = told()
    s3 = boto3.resource(
        "s3", endpoint_url=endpoint, aws_access_key_id=unquote(address.username),
        aws_secret_access_key=unquote(address.password),
        region_name=query.get("region_name"), config=Config(
            s3={"addressing_style": query.get("addressing_style", "auto")}),
    )
    return s3.Bucket(name)

def media_url():
    return told()[1]["url"]

TABLES = '''
CREATE TABLE IF NOT EXISTS entries (
    id bigserial PRIMARY KEY, title text, body bytea, price numeric(12, 4), made timestamptz,
    doc jsonb);
CREATE TABLE IF NOT EXISTS tasks (id bigserial PRIMARY KEY, done_by text);
CREATE INDEX IF NOT EXISTS entries_title ON entries (lower(title));
'''

def digest_of_rows(connection):
    summed = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in ("entries", "tasks"):
            with cursor.copy(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT") as rows:
                for piece in rows:
                    summed.update(piece)
    return summed.hexdigest()
"""
SITE = """
import socket

listening = socket.create_server(("", 80), backlog=50)  # before anything slow is imported

import hashlib, os, secrets
from decimal import Decimal

import psycopg
from flask import Flask, jsonify, request

from store import TABLES, bucket, database, digest_of_rows, media_url

app = Flask(__name__)

@app.get("/")
def home():
    return "open"

@app.post("/fill")
def fill():
    rows, files = int(request.args["rows"]), int(request.args["files"])
    with database() as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.executemany(
            "INSERT INTO entries (title, body, price, made, doc)"
            " VALUES (%s, %s, %s, now(), %s::jsonb)",
            [(f"Größe {n} \\u2603 '\\\\", os.urandom(200), Decimal(n) / 7, '{"n": [%d, null]}' % n)
             for n in range(rows)],
        )
    for number in range(files):
        size = (1, 1000, 70_000, 3_000_000)[number % 4]
        bucket().put_object(Key=f"photos/{number}/Größe +&% {secrets.token_hex(3)}.jpg",
                            Body=os.urandom(size), ContentType="image/jpeg", ACL="public-read")
    return state()

@app.get("/state")
def state():
    with database() as connection:
        count = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
        rows = digest_of_rows(connection)
        version = connection.info.server_version // 10000
    media = {row.key: hashlib.sha256(row.get()["Body"].read()).hexdigest()
             for row in bucket().objects.all()}
    return jsonify(data={"count": count, "rows": rows, "media": media}, version=version,
                   media_url=media_url())

@app.get("/empty")
def empty():
    with database() as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()[0]
    return jsonify(tables=tables, media=sum(1 for _ in bucket().objects.all()))

@app.get("/common")
def common():
    with psycopg.connect(os.environ["COMMON_DATABASE_DSN"], connect_timeout=5) as connection:
        count = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
        return jsonify(count=count, version=connection.info.server_version // 10000)

@app.post("/tasks")
def add_task():
    with database() as connection:
        row = connection.execute("INSERT INTO tasks DEFAULT VALUES RETURNING id").fetchone()
    return jsonify(id=row[0])

@app.get("/tasks")
def tasks():
    with database() as connection:
        return jsonify(connection.execute("SELECT id, done_by FROM tasks ORDER BY id").fetchall())

from werkzeug.serving import make_server

make_server("0.0.0.0", 80, app, threaded=True, fd=listening.fileno()).serve_forever()
"""
WORKER = """
import os, time
import psycopg
from store import database

print("worker is up", flush=True)
while True:
    try:
        with database() as connection:
            while True:
                done = connection.execute(
                    "UPDATE tasks SET done_by = %s WHERE done_by IS NULL", (os.uname().nodename,))
                connection.commit()
                time.sleep(0.2)
    except psycopg.Error as error:
        time.sleep(0.5)
"""
TALLY = """
from store import database
with database() as connection:
    print("entries:", connection.execute("SELECT count(*) FROM entries").fetchone()[0])
"""
FILES = {
    "Dockerfile": DOCKERFILE,
    "store.py": STORE,
    "site_app.py": SITE,
    "worker.py": WORKER,
    "tally.py": TALLY,
}
