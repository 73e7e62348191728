# The service, from the locked requirements. Build: docker build -t tthc-monitor .
# The tag of the base names Python and Debian; their security updates come with a new build.

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/tthc-monitor
# What changes seldom comes first: these layers stay when only the program changes.
COPY requirements/ requirements/
RUN /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
 && /opt/tthc-monitor/bin/pip install --require-hashes -r requirements/run.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/tthc-monitor/bin/pip install --no-deps /dist/*.whl \
 && /opt/tthc-monitor/bin/pip uninstall --yes pip


FROM python:3.12-slim-bookworm
# Nothing in the image belongs to the user that runs it, but the folder of its data.
RUN groupadd --system --gid 10001 tthc \
 && useradd --system --uid 10001 --gid tthc --home-dir /var/lib/tthc-monitor --create-home --shell /usr/sbin/nologin tthc
COPY --from=build /opt/tthc-monitor /opt/tthc-monitor
ENV PATH=/opt/tthc-monitor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    TTHC_CONFIG=/etc/tthc-monitor/tthc-monitor.yaml
# By number, so that an engine can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/tthc-monitor
VOLUME /var/lib/tthc-monitor
# In a container serve.host must be 0.0.0.0; the port is the default of serve.port.
EXPOSE 9766
# Of every role of the service: web, worker and all answer here, without asking the database.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD [ "python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9766/-/healthy', timeout=4)" ]
ENTRYPOINT ["tthc-monitor"]
CMD ["serve"]
