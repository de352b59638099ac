# The Python that every test runs on.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
# In an environment of its own, without pip, so that it can be copied as a whole.
RUN python -m venv --without-pip /opt/streamer
COPY requirements/run.txt requirements/
RUN python -m pip --python /opt/streamer/bin/python install --no-cache-dir --no-deps --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY avro avro
COPY streamer streamer
RUN python -m pip --python /opt/streamer/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:${PYTHON}
COPY --from=build /opt/streamer /opt/streamer
ENV PATH=/opt/streamer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /etc/streamer
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 9464
# A SIGTERM that comes before `streamer` takes it would be ignored, as the first process ignores what
# it does not handle. Blocked, it waits.
ENTRYPOINT ["env", "--block-signal=TERM", "streamer"]
CMD ["run", "--config", "/etc/streamer/streamer.yaml"]
