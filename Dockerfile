# The first stage builds the wheel, installs it into /opt/ibex and fetches the embedding model; the second has
# that and no build tools.
FROM python:3.12-slim AS build

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY ibex ibex
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/ibex \
    && /opt/ibex/bin/pip install --no-cache-dir "$(echo /wheels/ibex-*.whl)[embeddings,grpc,otel,s3]" \
    && /opt/ibex/bin/ibex models pull --data-dir /opt/ibex \
    && chmod -R a+rX /opt/ibex/models


FROM python:3.12-slim

# PostgreSQL, when it is the bundled one, runs only for a user that has a name.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/ibex --shell /usr/sbin/nologin ibex \
    && install --directory --owner=ibex --group=ibex --mode=0700 /var/lib/ibex
COPY --from=build /opt/ibex /opt/ibex

# Inside a container all interfaces are its own; what is published is for whoever runs it to say.
ENV PATH="/opt/ibex/bin:$PATH" \
    IBEX_HOST=0.0.0.0 \
    IBEX_DATA_DIR=/var/lib/ibex \
    IBEX_MODEL_PATH=/opt/ibex/models/all-MiniLM-L6-v2

USER ibex
WORKDIR /var/lib/ibex
VOLUME /var/lib/ibex
EXPOSE 8080

# Without the proxy that the environment may name for calls to the outside.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('IBEX_PORT', '8080')}/health\", timeout=2)"]

ENTRYPOINT ["ibex"]
CMD ["serve"]
