# The project with its environment, as `make setup` makes it: `docker build --tag warmstart .`, then
# `docker run --rm warmstart` runs the DAG. compose.yaml starts MLflow, Prefect and a worker from the same image.
# The base is pinned by its tag; `docker buildx imagetools inspect` says the digest that it has today.
FROM python:3.11-slim-bookworm AS base

# of whatever version Debian's stable release has: older ones leave its mirrors
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 warmstart \
    && install --directory --owner=warmstart --group=warmstart /home/warmstart/project
USER 1000
WORKDIR /home/warmstart/project


FROM base AS project

# requirements-gpu.lock or requirements-jax-cuda.lock for a GPU
ARG LOCK=requirements.lock
ENV LOCK=${LOCK}

# what changes rarely: the packages of the lock, by the commands of the Makefile
COPY --chown=warmstart:warmstart requirements-uv.lock ./
RUN python3 -m venv --clear .venv \
    && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r requirements-uv.lock
COPY --chown=warmstart:warmstart ${LOCK} ./
RUN .venv/bin/uv pip install --quiet --no-cache --python .venv/bin/python --require-hashes --compile-bytecode -r "${LOCK}"

# what changes often: this checkout, .git included, since DVC's experiments and the flow's worktrees need it
COPY --chown=warmstart:warmstart . .
RUN .venv/bin/uv pip install --quiet --no-cache --python .venv/bin/python --no-deps --no-build-isolation --compile-bytecode --editable . \
    && touch ".venv/ready-$(basename "${LOCK}" .lock)" \
    # volumes on these begin with their owner
    && mkdir -p .dvc/cache /home/warmstart/.cache/warmstart /home/warmstart/artifacts

ENV PATH="/home/warmstart/project/.venv/bin:${PATH}" \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false

CMD ["make", "run"]
