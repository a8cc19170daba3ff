"""`make production-check`: brings the compose installation up from nothing, and uses it.

Not part of `make test`: it takes about five minutes and the machine's own engine (its own project,
ports and volumes, all removed afterwards; images stay). Prints a line a step and ends non-zero at
the first that fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PANEL, PLATFORM = "panel.moonbase.test", "sites.moonbase.test"
PORTS = {
    "PORT": 18000,
    "SITES_PORT": 18080,
    "SSH_PORT": 12222,
    "MOONBASE_FRONT_HTTP_PORT": 18081,
    "MOONBASE_FRONT_HTTPS_PORT": 18443,
}
SITE = f"shop.{PLATFORM}"


def main() -> int:
    """All steps in a copy of the working tree; 0 when every one held."""
    with tempfile.TemporaryDirectory(prefix="moonbase-production-") as folder:
        home = Path(folder) / "moonbase"
        files = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).split("\n")
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, home / name)
        check = Check(home)
        try:
            check.all_steps()
        finally:
            check.tidy_up()
    return 0


def run(*words: str, cwd: Path, text: str | None = None) -> str:
    """Standard output of a command; its errors are shown when it fails."""
    done = subprocess.run(words, cwd=cwd, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout.strip()


class Check:
    """One installation in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._before = _of_sites()

    def all_steps(self) -> None:
        self._step("images without a registry", self._make_images)
        self._step("secrets and settings", self._prepare)
        self._step("docker-compose up", self._up)
        self._step("person, application, deployment", self._deploy)
        self._step("site and panel over TLS", self._look)
        self._step("push over SSH", self._push)
        self._step("sites served without panel, database and queue", self._without_panel)
        self._step("everything down and up again", self._down_and_up)

    def tidy_up(self) -> None:
        """What compose made, and what the panel made in the engine, which compose knows not of."""
        subprocess.run(["docker-compose", "down", "-v"], cwd=self._home, capture_output=True)
        for kind, names in _of_sites().items():
            remove = {"ps": ["rm", "-f"], "network": ["network", "rm"]}[kind]
            if new := sorted(names - self._before[kind]):
                subprocess.run(["docker", *remove, *new], capture_output=True, check=False)

    def _step(self, title: str, act: Callable[[], str | None]) -> None:
        started = time.monotonic()
        print(f"  {title} …", end="", flush=True)
        said = act()
        print(f" {time.monotonic() - started:.1f} s{f' ({said})' if said else ''}", flush=True)

    def _make_images(self) -> None:
        cache = str(Path(tempfile.gettempdir()) / "moonbase-base-images")
        run(sys.executable, "-m", "base_images", "debian", "--cache", cache, cwd=ROOT)
        build = ("docker", "build", "-q", "-t")
        run(*build, "moonbase/postgres:15", "setup/postgres", cwd=self._home)
        base = ("--build-arg", "BASE=moonbase/debian:12")
        run(*build, "moonbase:check", *base, ".", cwd=self._home)

    def _prepare(self) -> None:
        run("setup/prepare-production.sh", PANEL, PLATFORM, cwd=self._home)
        settings = {"MOONBASE_IMAGE": "moonbase:check", "POSTGRES_IMAGE": "moonbase/postgres:15"}
        with (self._home / ".env").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in (settings | PORTS).items())

    def _up(self) -> None:
        run("docker-compose", "up", "-d", cwd=self._home)
        wait_for(lambda: "password" in self._get(PANEL, "/account/sign-in/"))

    def _flask(self, *words: str) -> str:
        command = ("docker-compose", "exec", "-T", "web", "flask", "--app", "wsgi", "panel", *words)
        return run(*command, cwd=self._home)

    def _deploy(self) -> None:
        self._flask("user", "create", "anna@example.com", "--name", "Anna")
        words = ("--organisation", "anna", "--owner", "anna@example.com", "--starter", "static")
        self._flask("application", "create", "shop", *words)
        self._flask("application", "deploy", "shop", "live", "--actor", "anna@example.com")
        wait_for(lambda: "public/index.html" in self._get(SITE))

    def _look(self) -> None:
        assert "password" in self._get(PANEL, "/account/sign-in/")
        head = run(*self._curl(SITE, "/", port="MOONBASE_FRONT_HTTP_PORT"), "-I", cwd=self._home)
        assert f"https://{SITE}/" in head, head

    def _push(self) -> None:
        key = self._home / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key), cwd=self._home)
        public = (self._home / "key.pub").read_text()
        command = ("docker-compose", "exec", "-T", "web", "sh", "-c")
        add = "cat > /tmp/key.pub && flask --app wsgi panel key add anna@example.com /tmp/key.pub"
        run(*command, add, cwd=self._home, text=public)
        ssh = f"ssh -i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        os.environ["GIT_SSH_COMMAND"] = ssh
        address = f"ssh://git@127.0.0.1:{PORTS['SSH_PORT']}/shop.git"
        run("git", "clone", "-q", address, "work", cwd=self._home)
        work = self._home / "work"
        (work / "public" / "index.html").write_text("<h1>Pushed</h1>\n")
        author = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
        run("git", *author, "commit", "-qam", "Say that it was pushed", cwd=work)
        run("git", "push", "-q", cwd=work)
        self._flask("application", "deploy", "shop", "live", "--actor", "anna@example.com")
        wait_for(lambda: "Pushed" in self._get(SITE))

    def _without_panel(self) -> str:
        """Ask every 20 ms while all but the ingress is stopped and started again."""
        over, answers = threading.Event(), {"good": 0, "bad": 0}

        def ask() -> None:
            while not over.wait(0.02):
                url = f"http://127.0.0.1:{PORTS['SITES_PORT']}/"
                try:
                    asked = urllib.request.Request(url, headers={"Host": SITE})
                    with urllib.request.urlopen(asked, timeout=5) as answer:
                        answers["good" if b"Pushed" in answer.read() else "bad"] += 1
                except OSError:
                    answers["bad"] += 1

        asking = threading.Thread(target=ask)
        asking.start()
        panel = ("web", "worker", "asker", "scheduler", "observer", "cron", "ssh")
        services = (*panel, "redis", "postgres")
        run("docker-compose", "stop", "-t", "5", *services, cwd=self._home)
        time.sleep(2)
        run("docker-compose", "start", *services[::-1], cwd=self._home)
        over.set()
        asking.join()
        assert answers["bad"] == 0 and answers["good"] > 100, answers
        return f"{answers['good']} answers, 0 lost"

    def _down_and_up(self) -> None:
        run("docker-compose", "down", cwd=self._home)
        self._up()
        wait_for(lambda: "Pushed" in self._get(SITE))
        assert "password" in self._get(PANEL, "/account/sign-in/")

    def _get(self, host: str, path: str = "/") -> str:
        words = self._curl(host, path)
        return subprocess.run(words, cwd=self._home, capture_output=True, text=True).stdout

    def _curl(self, host: str, path: str, port: str = "MOONBASE_FRONT_HTTPS_PORT") -> list[str]:
        number = PORTS[port]
        scheme = "https" if port == "MOONBASE_FRONT_HTTPS_PORT" else "http"
        trust = ["--cacert", str(self._home / "secrets" / "tls.crt")]
        resolve = ["--resolve", f"{host}:{number}:127.0.0.1"]
        return ["curl", "-sS", *trust, *resolve, f"{scheme}://{host}:{number}{path}"]


def _of_sites() -> dict[str, set[str]]:
    """Numbers of all containers and networks that some panel made in this engine."""
    asked = {"ps": ("ps", "-aq"), "network": ("network", "ls", "-q")}
    label = ("--filter", "label=moonbase.installation")
    return {
        kind: set(run("docker", *words, *label, cwd=ROOT).split()) for kind, words in asked.items()
    }


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it holds, or end with an error."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("did not come to pass in time")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
