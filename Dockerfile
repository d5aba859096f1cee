# chatd, and the model server for its development:
#
#   docker build -t chatd .
#   docker build -t chatd-llm-server --target llm-server .
#
# compose.yaml starts both with MongoDB. docs/operating.md says how to run the image.

FROM node:22-slim AS page
WORKDIR /build/web
# The libraries in a layer of their own: they change seldom.
COPY web/package.json web/package-lock.json web/.npmrc ./
COPY web/client/package.json client/
COPY web/react/package.json react/
COPY web/app/package.json app/
RUN npm ci --no-progress
COPY web ./
RUN npm run build --workspace app

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/chatd
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What chatd needs, in a layer of its own: it changes seldom.
COPY setup.cfg pyproject.toml README.md LICENSE ./
RUN mkdir chatd plugins && /opt/chatd/bin/pip install .
COPY chatd chatd
COPY plugins plugins
COPY --from=page /build/chatd/static/page chatd/static/page
RUN /opt/chatd/bin/pip install --no-deps --force-reinstall . \
    && /opt/chatd/bin/pip uninstall --yes pip

FROM python:3.13-slim AS llm-server
RUN useradd --system --uid 10001 --no-create-home llm
WORKDIR /srv/llm
COPY scripts/llm_server.py ./
COPY scripts/llm llm
USER 10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8001/health', timeout=4)"]
ENTRYPOINT ["python", "llm_server.py"]
CMD ["--host", "0.0.0.0", "--port", "8001", "--pace", "20"]

# The last stage is what `docker build` makes.
FROM python:3.13-slim AS chatd
RUN useradd --system --uid 10001 --no-create-home chatd \
    && install --directory --owner=chatd --group=chatd --mode=700 /data
COPY --from=build /opt/chatd /opt/chatd
WORKDIR /srv/chatd
# Settings are read from conf/chatd.toml here; all of them have defaults.
COPY conf conf
ENV PATH=/opt/chatd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CHATD_DATA_DIR=/data \
    CHATD_SERVER_HOST=0.0.0.0 \
    CHATD_SERVER_PORT=8000
USER 10001
VOLUME /data
EXPOSE 8000
# /healthz says that the process lives. Whether it can take a turn is /readyz: a store that is away
# does not come back by a restart of chatd.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import os; from urllib.request import urlopen; urlopen(f\"http://127.0.0.1:{os.environ['CHATD_SERVER_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["chatd"]
CMD ["serve"]
