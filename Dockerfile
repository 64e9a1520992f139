# Two stages: what builds the Debian package, and a Debian with that package and no more. `docker build -t millrace .`
FROM swift:6.3-bookworm AS build
WORKDIR /src
RUN apt-get update -q && apt-get install -q -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY Makefile Package.swift LICENSE README.md config.toml ./
COPY Sources Sources
COPY sql sql
COPY systemd systemd
COPY Tests Tests
RUN make deb

FROM debian:bookworm-slim
COPY --from=build /src/.build/deb/millrace_*.deb /millrace.deb
COPY systemd/debian/container.sh /container.sh
# The same script makes the root that `make deb-test` starts.
RUN sh /container.sh /millrace.deb && rm /container.sh
# Of the user millrace.
USER 7171
# The spool: without a volume, what is acknowledged and not yet written goes with the container.
VOLUME /var/lib/millrace
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["curl", "-fsS", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["millrace"]
CMD ["serve"]
