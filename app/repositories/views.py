"""Git over HTTP: e-mail address and access token as user name and password (A3, B4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from app.accounts.shown_tokens import find_shown_token
from app.adapters.git import GitService
from app.adapters.git.cgi import CgiResponse, run_cgi
from app.adapters.git.commands import parse_http_request
from app.audit.operations import acting_through
from app.errors import PanelError
from app.extensions import db
from app.installation import installation
from app.repositories.access import Tips, authorise_git, finish_push
from app.transactions import unit_of_work
from app.web.access import public

blueprint = Blueprint("repositories", __name__, url_prefix="/git")

CGI_HEADERS = (
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "QUERY_STRING",
    "HTTP_CONTENT_ENCODING",
    "HTTP_GIT_PROTOCOL",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_ACCEPT_ENCODING",
)


@blueprint.route("/<slug>.git/info/refs", methods=["GET"])
@blueprint.route("/<slug>.git/git-upload-pack", methods=["POST"], endpoint="upload_pack")
@blueprint.route("/<slug>.git/git-receive-pack", methods=["POST"], endpoint="receive_pack")
@public
def serve(slug: str) -> ResponseReturnValue:
    """Hand one request of a Git client to Git. The token is the guard here, not the session."""
    token = find_shown_token(request.authorization)
    if token is None:
        return _ask_for_token()
    acting_through(f"token {token.name}")
    try:
        service = parse_http_request(request.method, _path(), request.environ["QUERY_STRING"])[0]
        key = authorise_git(token.user, slug, service, token)
        return _stream(key, service, slug, token.user_id)
    except PanelError as error:
        return Response(error.sentence + "\n", error.status, mimetype="text/plain")


def _ask_for_token() -> Response:
    sentence = "Sign in with your e-mail address and an access token as password.\n"
    response = Response(sentence, 401, mimetype="text/plain")
    response.headers["WWW-Authenticate"] = 'Basic realm="Moonbase Git", charset="UTF-8"'
    return response


def _path() -> str:
    """The path inside the repository."""
    return request.path.split(".git", 1)[1]


def _stream(key: str, service: GitService, slug: str, person_id: int) -> Response:
    store = installation().adapters.repositories
    is_push = request.method == "POST" and service == GitService.RECEIVE_PACK
    before = store.branches(key) if is_push else {}
    variables = {name: request.environ[name] for name in CGI_HEADERS if name in request.environ}
    variables |= {"REQUEST_METHOD": request.method, "PATH_INFO": _path(), "REMOTE_USER": slug}
    command = store.serve_http(key, variables)
    db.session.rollback()  # hold no reading while a large pack is under way
    answer = run_cgi(command, request.environ["wsgi.input"])
    chunks = _noting_push(answer, key, before, person_id) if is_push else answer.chunks
    response = Response(stream_with_context(chunks), answer.status)
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response


def _noting_push(
    answer: CgiResponse, key: str, before: Mapping[str, str], person_id: int
) -> Iterator[bytes]:
    """Pass Git's answer on, then see what moved, also when the client has hung up."""
    store = installation().adapters.repositories
    try:
        yield from answer.chunks
    finally:
        close = getattr(answer.chunks, "close", None)
        if close:
            close()
        with unit_of_work():
            finish_push(key, Tips(before, store.branches(key)), store, person_id)
