# Two stages: what builds it, and what it runs with. `docker build -t millrace .`
FROM swift:6.3-bookworm AS build
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends libpq-dev libsimdjson-dev libzstd-dev make pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY sql sql
RUN swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked --product millrace -Xlinker -s

FROM debian:bookworm-slim
# The last one is for the health check.
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends ca-certificates libpq5 libsimdjson14 libstdc++6 libzstd1 zlib1g curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/millrace --shell /usr/sbin/nologin --uid 7171 millrace \
    && install -d -o millrace -g millrace -m 0750 /var/lib/millrace
COPY --from=build /src/.build/release/millrace /usr/bin/millrace
USER millrace
# The spool: without a volume, what is acknowledged and not yet written goes with the container.
VOLUME /var/lib/millrace
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["curl", "-fsS", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["millrace"]
CMD ["serve"]
