# The image of all processes of the panel; docker-compose.yml says which container runs which.
#
#   docker build -t moonbase .
#   docker build -t moonbase --build-arg BASE=moonbase/debian:12 .   # without a registry: made by
#                                                  # python -m base_images debian
# BASE is a Debian 12 with apt. It is a plain `FROM`: the classic builder and BuildKit both do.
ARG BASE=debian:12-slim

FROM ${BASE} AS packages
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates >/dev/null
WORKDIR /opt/moonbase
COPY requirements.txt ./
RUN python3 -m venv .venv \
 && .venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt \
 && find .venv -name __pycache__ -prune -exec rm -rf {} +
# Node is needed for this step alone, and comes from the same index as everything else. It trusts
# what the base trusts, e.g. the CA of a company's own registry.
COPY setup/node.txt setup/frontend.mjs setup/icons.json setup/
COPY package.json package-lock.json ./
RUN python3 -m venv /opt/node \
 && /opt/node/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r setup/node.txt \
 && export PATH=/opt/node/bin:$PATH NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
 && npm ci --ignore-scripts --no-audit --no-fund --silent \
 && node setup/frontend.mjs

FROM ${BASE}
# git: the repositories; bubblewrap: where code of addons runs; age: of backups; apt and dpkg (of the base): what
# base images of sites are made of.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends python3 git bubblewrap age ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin \
 && groupadd --gid 10001 moonbase \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin moonbase \
 && for folder in repositories addons logs tmp run redis panel secrets operator ingress mail backups downloads uploads; do \
      install -d -o moonbase -g moonbase -m 0750 /var/lib/moonbase/$folder; done
WORKDIR /opt/moonbase
COPY --from=packages /opt/moonbase/.venv .venv
COPY --from=packages /opt/moonbase/static/vendor static/vendor
COPY addons addons
COPY app app
COPY base_images base_images
COPY migrations migrations
COPY static static
COPY templates templates
COPY setup/front.yml setup/front.yml
COPY wsgi.py worker.py ./
RUN .venv/bin/python -m compileall -q addons app base_images wsgi.py worker.py
ENV DATA_DIR=/var/lib/moonbase PYTHONUNBUFFERED=1 PATH=/opt/moonbase/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER moonbase
ENTRYPOINT ["/opt/moonbase/.venv/bin/python", "-m", "app.processes.start"]
