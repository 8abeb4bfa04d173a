# Two stages: build and install (it fetches the locked JavaScript), then a slim image without tools.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends npm && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/necktrace \
 && /opt/necktrace/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY . .
RUN /opt/necktrace/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home necktrace && install -d -o necktrace /data /kernels
COPY --from=build /opt/necktrace /opt/necktrace
ENV PATH=/opt/necktrace/bin:$PATH NUMBA_CACHE_DIR=/kernels NECKTRACE_DATA_DIR=/data
USER necktrace
# Compile the kernels once, here, so that no container does it while somebody waits.
RUN python -m api.warm_up
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", \
  "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
CMD ["necktrace", "serve"]
