"""A PHP site behind Apache."""

from __future__ import annotations

import re
import zoneinfo
from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Fragment,
    Rights,
    Settings,
    SettingsError,
    Site,
    Slot,
    Visibility,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"
ONCE = {"Dockerfile": "Dockerfile", "public/index.php": "index.php"}
BASES = (
    ("php:8.4-apache", "PHP 8.4, the official image"),
    ("php:8.3-apache", "PHP 8.3, the official image"),
    ("moonbase/debian:12", "PHP 8.2 of Debian, on the base image made here"),
)
FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./-]*\Z")
DEBIAN = """\
RUN apt-get update -qq \\
 && apt-get install -y -qq --no-install-recommends apache2 libapache2-mod-php php-cli php-curl \\
    php-gd php-intl php-mbstring php-mysql php-pgsql php-xml php-zip composer unzip \\
 && rm -rf /var/lib/apt/lists/* \\
 && ln -sf /dev/stdout /var/log/apache2/access.log \\
 && ln -sf /dev/stderr /var/log/apache2/error.log
ENV PHP_CONFIGURATION=/etc/php/8.2/apache2/conf.d
"""
OFFICIAL = """\
COPY --from=composer:2 /usr/bin/composer /usr/bin/composer
ENV PHP_CONFIGURATION=/usr/local/etc/php/conf.d
"""
COMPOSER = "RUN composer install --no-dev --no-interaction --optimize-autoloader\n"


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="php",
        name="PHP",
        version="1.0",
        summary="Turns an empty repository into a working PHP site.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Web frameworks", "PHP"),
        rights=Rights(slots=(Slot.DOCKER_FROM, Slot.SYSTEM, Slot.SOURCE), files=tuple(ONCE)),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field("base", "Version", FieldType.SELECT, initial="php:8.3-apache", choices=BASES),
        Field(
            "folder",
            "Folder that visitors see",
            initial="public",
            max_length=100,
            help_text="What lies beside it, e.g. passwords, cannot be asked for.",
        ),
        Field("time_zone", "Time zone", initial="UTC", help_text="A name such as Europe/Zurich."),
        Field(
            "upload_megabytes",
            "Largest upload, in MB",
            FieldType.NUMBER,
            initial=16,
            min_value=1,
            max_value=1024,
        ),
        Field(
            "memory_megabytes",
            "Memory of one request, in MB",
            FieldType.NUMBER,
            initial=128,
            min_value=16,
            max_value=4096,
            visibility=Visibility.ADVANCED,
        ),
    )


@hookimpl
def clean_settings(settings: Settings) -> Settings:
    folder = str(settings.get("folder") or "").strip().strip("/")
    sentences = {}
    if not FOLDER.match(folder) or ".." in folder.split("/"):
        sentences["folder"] = "A folder of the repository, e.g. public."
    if settings.get("time_zone") not in zoneinfo.available_timezones():
        sentences["time_zone"] = "There is no such time zone. Try one like Europe/Zurich."
    if sentences:
        raise SettingsError(sentences)
    return {**settings, "folder": folder}


@hookimpl
def contribute_dockerfile(site: Site) -> tuple[Fragment, ...]:
    base = str(site.settings.get("base") or "php:8.3-apache")
    system = DEBIAN if base.startswith("moonbase/") else OFFICIAL
    fragments = [
        Fragment(Slot.DOCKER_FROM, f"FROM {base}\nWORKDIR /app\n"),
        Fragment(Slot.SYSTEM, system + _configuration(site.settings)),
    ]
    if "composer.json" in site.files:
        fragments.append(Fragment(Slot.SOURCE, COMPOSER))
    return tuple(fragments)


def _configuration(settings: Settings) -> str:
    """php.ini, the folder Apache serves, and rules in .htaccess as many sites have them."""
    upload = settings.get("upload_megabytes") or 16
    lines = (
        f"date.timezone={settings.get('time_zone') or 'UTC'}",
        f"upload_max_filesize={upload}M",
        f"post_max_size={upload}M",
        f"memory_limit={settings.get('memory_megabytes') or 128}M",
    )
    written = " ".join(f"'{line}'" for line in lines)
    root = f"/app/{settings.get('folder') or 'public'}"
    return (
        f"RUN printf '%s\\n' {written} > $PHP_CONFIGURATION/moonbase.ini \\\n"
        f" && sed -ri 's!/var/www/html!{root}!g' /etc/apache2/sites-available/*.conf \\\n"
        f" && printf '<Directory {root}>\\nAllowOverride All\\nRequire all granted\\n"
        "</Directory>\\n' > /etc/apache2/conf-enabled/moonbase.conf \\\n"
        " && a2enmod -q rewrite headers\n"
    )


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    return tuple(File(path, (FILES / name).read_text()) for path, name in ONCE.items())
