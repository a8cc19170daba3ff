"""What each base image consists of: packages, additions, settings. Nothing is executed here."""

from __future__ import annotations

from pathlib import Path

from base_images.brokers import BROKERS
from base_images.databases import DATABASES
from base_images.recipe import Recipe, Wheel
from base_images.storage import STORAGE

_HERE = Path(__file__).parent
# Where the CA bundle lies, on Debian and so in every image made of its packages.
CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

# So that pip and everything on OpenSSL or requests trusts the CAs this machine trusts.
_TRUST = {
    "SSL_CERT_FILE": f"/{CA_BUNDLE}",
    "REQUESTS_CA_BUNDLE": f"/{CA_BUNDLE}",
    "PIP_CERT": f"/{CA_BUNDLE}",
}


STATIC = Recipe(
    name="static",
    tag="moonbase/static:1",
    packages=("busybox-static",),
    busybox=True,
    files={"bin/serve": (_HERE / "static" / "serve").read_text()},
    folders=("site",),
    environment={"PATH": "/bin"},
    settings=("WORKDIR /site", "EXPOSE 80", 'CMD ["/bin/serve"]'),
)

# The interpreter, what its standard library links to, and what wheels commonly need beside it
# (libstdc++6: numpy, grpc; tzdata: zoneinfo, so Django). bash stays out: busybox has sh.
_PYTHON_PACKAGES = (
    "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3.11 libc6 libssl3 "
    "zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libdb5.3 libncursesw6 "
    "libtinfo6 libreadline8 libcrypt1 libnsl2 libtirpc3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 "
    "libkrb5support0 libcom-err2 libkeyutils1 libgcc-s1 libstdc++6 gcc-12-base media-types tzdata "
    "netbase busybox-static base-files"
)
# Not Debian's: that one needs twice the processor time to look through a large index (measured).
_PIP_WHEEL = Wheel(
    name="pip",
    version="26.3",
    digests=(
        "6c36ae7da8695be67e3cd9f7d87919667ced53f57ce2ede75d89b5912ed2bc4c",
        "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13",
    ),
    folder="usr/local/lib/python3.11/dist-packages",
)
_PIP = """\
#!/usr/bin/python3
import sys

from pip._internal.cli.main import main

sys.exit(main())
"""

PYTHON = Recipe(
    name="python",
    tag="moonbase/python:3.11",
    packages=tuple(_PYTHON_PACKAGES.split()),
    wheels=(_PIP_WHEEL,),
    busybox=True,
    python="3.11",
    files={"usr/local/bin/pip": _PIP, "usr/local/bin/pip3": _PIP},
    # Most programs that are scripts begin with “#!/usr/bin/env”.
    links={
        "usr/bin/python3": "python3.11",
        "usr/bin/python": "python3.11",
        "usr/bin/env": "/bin/busybox",
    },
    folders=("app",),
    environment={
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        **_TRUST,
    },
    settings=("WORKDIR /app", 'CMD ["python3"]'),
    trust=True,
)

DEBIAN = Recipe(
    name="debian",
    tag="moonbase/debian:12",
    # Not taken apart one by one: their versions say which state of Debian the image has.
    packages=("base-files", "libc6", "apt", "dpkg", "libssl3", "ca-certificates"),
    bootstrap=True,
    environment={
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        **_TRUST,
    },
    settings=('CMD ["bash"]',),
    trust=True,
)

RECIPES = {
    recipe.name: recipe for recipe in (STATIC, PYTHON, DEBIAN, *DATABASES, *BROKERS, *STORAGE)
}
