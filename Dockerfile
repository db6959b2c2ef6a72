# Both stages use one base: a virtual environment works only beside the very interpreter that made it.
# A release names it by digest: --build-arg BASE_IMAGE=python:3.13-slim-trixie@sha256:...
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# Dependencies first: they change seldom, so this layer is reused.
# The build backend is held to the same hashes: only its part of the development lock, because the rest is large. If it
# gains a dependency, pip stops here and names it. It is not copied to the next stage.
COPY requirements/ requirements/
RUN sed -n -E '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements/dev.txt > backend.txt \
 && python3 -m venv tools \
 && tools/bin/pip install --require-hashes --only-binary :all: --requirement backend.txt \
 && python3 -m venv --without-pip /opt/shipper \
 && tools/bin/pip --python /opt/shipper install --require-hashes --only-binary :all: --no-compile \
      --requirement requirements/run.txt

# A wheel, so that the image's inventory names the agent and its version as it names every other package.
COPY pyproject.toml README.md LICENSE ./
COPY shipper/ shipper/
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && tools/bin/pip --python /opt/shipper install --no-deps --no-index --no-compile dist/*.whl \
# The root file system is read-only at run time, so bytecode is written now or never.
# unchecked-hash: it stays valid when a builder sets all file times to one date, as reproducible builds do.
# -f: pip loads one of the installed packages and leaves bytecode that is invalid once file times lose their fractions.
 && /opt/shipper/bin/python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/shipper/lib

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="mtls-shipper" \
      org.opencontainers.image.description="Ships the evidence of failed mTLS handshakes in an Istio mesh to Loki" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

# Unbuffered: the last lines before a crash are the ones that matter.
ENV PATH=/opt/shipper/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/shipper /opt/shipper

# Python's official images carry no bytecode of the standard library, and compiling it was more than half of a start.
# Load all that the agent loads in a pod, which fails if anything is missing, and write bytecode for those modules that
# belong to the base. The agent loads the last three only when it needs them.
RUN python3 -c "import sys, shipper.cli, shipper.log, shipper.agent, shipper.source.pod_watch, shipper.who.pods_file; \
      import shipper.source.workloads, shipper.directory.command, shipper.peers.questions, shipper.peers.from_pods; \
      import shipper.explain.command, shipper.promtail.command, shipper.push_pb2, concurrent.futures.thread, encodings.idna; \
      import shipper.report.command, shipper.report.remote, shipper.dry_run, shipper.tap.command, shipper.pages.answers; \
      files = [getattr(module, '__file__', None) or '' for module in sys.modules.values()]; \
      print(*(file for file in files if file.endswith('.py') and not file.startswith(sys.prefix)), sep='\n')" > /tmp/loaded \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash -i /tmp/loaded \
 && rm /tmp/loaded \
# For a run outside Kubernetes: relative paths in the configuration start here, and group 0 may write.
 && install --directory --mode 0770 /var/lib/shipper
WORKDIR /var/lib/shipper

# A number, because runAsNonRoot cannot judge a name. Group 0, because it owns the logs below /var/log/pods.
USER 10001:0
EXPOSE 9080

# Exec form: the agent is process 1 and gets SIGTERM itself. It starts no other process, so there is nothing to reap.
# No HEALTHCHECK: Kubernetes ignores it and probes by itself.
ENTRYPOINT ["shipper"]
CMD ["run", "--config.file", "/etc/shipper/config.yaml"]
