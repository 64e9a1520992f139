# Millrace: `make help` lists the targets. Works as root, and as a user with sudo; apt is asked only for what is missing.

# What the daemon is built with and runs with, and what the tests need besides.
PACKAGES := binutils curl libjs-dygraphs libpq-dev libsimdjson-dev libzstd-dev netcat-openbsd pkg-config postgresql zlib1g-dev
TEST_PACKAGES := $(PACKAGES) chromium dpkg-dev iproute2 openssl pgbouncer prometheus python3-venv systemd zstd
# Python packages without a wheel for this machine are built.
TEST_PACKAGES += $(if $(filter-out x86_64,$(shell uname -m)),gcc python3-dev)
FAILOVER_PACKAGES := $(PACKAGES) etcd-server patroni python3 util-linux
FAILOVER_PACKAGES := $(PACKAGES) etcd-server patroni python3 util-linux
DEB_PACKAGES := dpkg-dev
DEB_TEST_PACKAGES := debootstrap iproute2 lintian
BENCH_PACKAGES := $(PACKAGES) git python3 python3-venv wrk

# Of `make run`: where the spool and the database live.
DATA ?= $(if $(filter 0,$(shell id -u)),/var/lib/millrace,$(HOME)/.local/share/millrace)
# Of `make run`: further arguments, such as ARGS="--set tcp.listen=127.0.0.1:7000".
ARGS ?=
# Of `make chaos`: how many rounds, and the seed of the first (printed; empty is a random one).
ROUNDS ?= 100
SEED ?=
# Of `make bench`: rows of a run of P1 (2000000), runs (5), scenes by comma (all), QUICK=1 for small sizes,
# README=1 to put the table into the guide to performance, PROFILE=1 to run P2 under perf; BENCH_DATA keeps the events
# between calls.
ROWS ?=
RUNS ?=
ONLY ?=
QUICK ?=
README ?=
PROFILE ?=
# Of `make simulate`: how many steps.
STEPS ?=
# Of `make upgrade-test`: the older version; the commit in Tests/upgrade-from.
FROM ?=
# Of `make soak` and `make fuzz`: how long.
MINUTES ?= 10
# Of `make install`.
PREFIX ?= /usr
DESTDIR ?=

SWIFT ?= swift
# Also makes the environments of the tests and of the asyncio peer.
PYTHON ?= /usr/bin/python3
# The tests' interpreter, with the packages of Tests/requirements.txt; a folder that is ignored and may be deleted.
TEST_PYTHON := .build-python
# Segment's SDK of before it sent its key in a header and took Retry-After for an answer: apps have both, an environment one.
SEGMENT_1 := segment-analytics-python==2.3.5
# The Swift runtime is linked in, so that the installed binary needs no Swift.
RELEASE_FLAGS := -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
# Of the binary alone. It exports nothing. Hummingbird's decoder of forms, which Millrace never uses, names DateFormatter:
# that reference alone would link in Foundation and the data of ICU, 40 MB; so it is given another type's descriptor. A test
# sees to it that no source imports Foundation.
LINK_FLAGS := -Xlinker --no-export-dynamic \
	-Xlinker --defsym -Xlinker '$$s10Foundation13DateFormatterCMn=$$s20FoundationEssentials4DateVMn'
BINARY := .build/release/millrace
# Where `make deb` puts the package.
DEB := .build/deb
# Of `make deb-test`: where debootstrap gets Debian from.
MIRROR ?= http://deb.debian.org/debian
PEER := Benchmarks/.build/peer/installed
DEBUG_BINARY := $(CURDIR)/.build/debug/millrace
SOURCES = $(wildcard Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Benchmarks/Parts)
# The compiler that comes with Swift brings libFuzzer and the sanitizers. What runs found is kept in $(FUZZ) between them.
FUZZ := .build/fuzz
FUZZ_SOURCES := $(wildcard Sources/CMillrace/*/*.cpp Tests/Fuzz/*.cpp)
TOOLS = $(shell $(SWIFT) -print-target-info | sed -n 's|.*"runtimeResourcePath": "\(.*\)/lib/swift".*|\1/bin|p')
FUZZ_CXX = $(TOOLS)/clang++
# Comes with Swift, too.
DOCC = $(TOOLS)/docc
FUZZ_FLAGS := -std=c++17 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	-fuse-ld=lld -Wl,--wrap=malloc,--wrap=realloc -ISources/CMillrace -ISources/CMillrace/include -ITests/Fuzz/include
# systemd-analyze counts in tenths: 2.3.
EXPOSURE_MAX := 23
GUIDES := Sources/millrace/Millrace.docc
# For docc: its own links between the pages, none to what lies beside them, and no marks of the test. Its anchors keep the
# headings' case, those of a forge don't.
FOR_DOCC := -e 's/\]\(([A-Za-z]+)\.md(\#[^)]*)?\)/](doc:\1\2)/g' -e 's/\]\((\#[^)]*)\)/](doc:\1)/g' \
	-e 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g' -e 's/^( *```[a-z]+) (norun:.*|network)$$/\1/' -f .build/guides/anchors.sed

.DEFAULT_GOAL := help
.PHONY: run test build bench bench-parts bench-server chaos months-test leaders-test simulate upgrade-test failover-test citus-test citus-needs soak fuzz fuzz-corpus check docs fmt install uninstall deb deb-test help swift packages \
	test-packages bench-packages failover-packages deb-packages deb-test-packages

run: build  ## build a release and start it with a private PostgreSQL: DATA=directory, ARGS=…
	@echo "data directory: $(DATA)"
	@exec $(BINARY) serve --embedded --data-directory "$(DATA)" $(ARGS)

test: swift test-packages $(TEST_PYTHON)/installed  ## run every test
	$(SWIFT) build --build-tests
	@SWIFT="$(SWIFT)" PYTHON="$(PYTHON)" MILLRACE_BINARY="$(DEBUG_BINARY)" \
		MILLRACE_PYTHON="$(CURDIR)/$(TEST_PYTHON)/bin/python" Tests/run.sh

build: swift packages  ## build a release: .build/release/millrace, its debug symbols, manual pages and completions beside it
	$(SWIFT) build $(RELEASE_FLAGS) --product generate-manual
	MILLRACE_COMMIT="$$(git describe --always --dirty --abbrev=12 2>/dev/null)" $(SWIFT) build $(RELEASE_FLAGS) $(LINK_FLAGS) --product millrace
	@# Debuggers and profilers find the symbols by the link that is left.
	@if objdump -h $(BINARY) | grep -q ' \.debug_info '; then \
		objcopy --only-keep-debug $(BINARY) $(BINARY).debug && \
		strip --strip-all --remove-section=.comment $(BINARY) && \
		cd $(dir $(BINARY)) && objcopy --add-gnu-debuglink=millrace.debug millrace; \
	fi
	@rm -rf $(BINARY).man $(BINARY).completions && mkdir -p $(BINARY).man $(BINARY).completions
	@$(dir $(BINARY))generate-manual --multi-page --output-directory $(BINARY).man $(BINARY)
	@# millrace keys create: millrace-keys-create(1), as git names its pages.
	@cd $(BINARY).man && sed -i -e '/^\.Dt\|^\.Xr/ s/\./-/2g' -e 's/^$$/.Pp/' *.1 \
		&& sed -i -e '/^\.Nm "/ { h; s/"//g; s/ /-/2g }' -e '/^\.Nm$$/ { G; s/.*\n// }' *.*.1 \
		&& for page in *.*.1; do mv "$$page" "$$(echo "$${page%.1}" | tr . -).1"; done
	@for shell in bash zsh fish; do \
		$(BINARY) --generate-completion-script $$shell | sed '1 { /^#!/ d }' > $(BINARY).completions/$$shell || exit 1; done
	@ls -lh $(BINARY) | awk '{ print "built $(BINARY), " $$5 }'

deb: build deb-packages  ## build a Debian package of the release, and one of its debug symbols: .build/deb
	sh systemd/debian/build.sh $(BINARY) $(DEB)

deb-test: deb deb-test-packages  ## install, use, upgrade, remove and purge the package in a fresh Debian: MIRROR=URL; as root
	bash systemd/debian/test.sh $(DEB) $(MIRROR)

bench: build bench-packages bench-server $(PEER)  ## measure all scenes beside their references: ROWS=2000000, RUNS=5, ONLY=P1,P4, QUICK=1
	PYTHONPATH=Benchmarks $(PYTHON) -B -m scenes $(if $(ROWS),--rows $(ROWS)) $(if $(RUNS),--runs $(RUNS)) \
		$(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(README),--readme) $(if $(PROFILE),--profile)

bench-parts: swift packages  ## measure the inner parts: parse, encode, frame, append, checksum
	$(SWIFT) package --package-path Benchmarks -c release benchmark --target Parts --no-progress

# What HTTP is compared with.
bench-server: swift
	$(SWIFT) build --package-path Benchmarks -c release --static-swift-stdlib --product bare-server

# The environment of the asyncio peer of the scenes.
$(PEER): Benchmarks/peer/requirements.txt | bench-packages
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --requirement $<
	touch $@

chaos: swift test-packages  ## kill daemon and database at random: ROUNDS=100, SEED=n to repeat a run
	$(SWIFT) build --build-tests
	MILLRACE_BINARY="$(DEBUG_BINARY)" MILLRACE_CHAOS_ROUNDS=$(ROUNDS) $(if $(SEED),MILLRACE_CHAOS_SEED=$(SEED)) \
		$(SWIFT) test --skip-build --filter ChaosTests

months-test: swift test-packages build  ## 3 months of ROWS=1000000 out and back, with 20 kills, at 5,000 events/s: SEED=n
	$(SWIFT) build --build-tests
	MILLRACE_BINARY="$(BINARY)" MILLRACE_MONTH_ROWS=$(or $(ROWS),1000000) MILLRACE_MONTH_RATE=5000 \
		$(if $(SEED),MILLRACE_MONTH_SEED=$(SEED)) $(SWIFT) test --skip-build --filter RetirementCrashTests

leaders-test: swift test-packages  ## three daemons on one database, the leader killed every ten seconds: SECONDS=60
	$(SWIFT) build --build-tests
	MILLRACE_BINARY="$(DEBUG_BINARY)" MILLRACE_LEADER_SECONDS=$(or $(SECONDS),60) \
		$(SWIFT) test --skip-build --filter LeaderTests

simulate: swift test-packages  ## the protocol of spool and ledger against a model of PostgreSQL: STEPS=2000000, SEED=first
	$(SWIFT) build --build-tests
	MILLRACE_SIMULATION_STEPS=$(or $(STEPS),2000000) $(if $(SEED),MILLRACE_SIMULATION_SEED=$(SEED)) \
		$(SWIFT) test --skip-build --filter SimulationTests

# The older version is a debug build, and so is this one.
upgrade-test: swift packages  ## an older version, this one over it, and the older one again, under load: FROM=commit
	$(SWIFT) build --product millrace
	SWIFT="$(SWIFT)" PYTHON="$(PYTHON)" Tests/upgrade.sh "$(DEBUG_BINARY)" $(FROM)

citus-test: citus-needs build  ## exactly once on a Citus cluster on loopback whose nodes are killed: ROWS=1000000, SEED=n; says what it needs
	@PYTHONPATH=Benchmarks $(PYTHON) -B -m citus --binary "$(CURDIR)/$(BINARY)" $(if $(ROWS),--events $(ROWS)) $(if $(SEED),--seed $(SEED))

citus-needs: swift
	@PYTHONPATH=Benchmarks $(PYTHON) -B -m citus --needs

failover-test: swift failover-packages  ## Patroni and etcd, the leader killed ROUNDS=3 times under load: some two minutes
	$(SWIFT) build --product millrace
	PYTHONPATH=Benchmarks $(PYTHON) -B -m failover --binary "$(DEBUG_BINARY)" \
		--rounds $(if $(filter command environment,$(firstword $(origin ROUNDS))),$(ROUNDS),3)

soak: build  ## a mixed load at live rates, and what grows meanwhile: MINUTES=10
	PYTHONPATH=Benchmarks $(PYTHON) -B -m soak --minutes $(MINUTES)

fuzz: $(FUZZ)/millrace-fuzz  ## any bytes through parser, COPY encoder and path extractor, with sanitizers: MINUTES=10
	@mkdir -p $(FUZZ)/corpus
	@sh Tests/Fuzz/seeds.sh ../shared $(FUZZ)/seeds
	nice -n 19 $< -max_total_time=$$(($(MINUTES) * 60)) -dict=Tests/Fuzz/json.dict -max_len=8192 -timeout=60 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=$(FUZZ)/ \
		$(FUZZ)/corpus Tests/Fuzz/corpus Tests/Fuzz/findings $(FUZZ)/seeds

# The smallest set of inputs that reaches all that the runs so far have reached; a test replays it. What is kept because
# of a fault lies in Tests/Fuzz/findings.
fuzz-corpus: $(FUZZ)/millrace-fuzz
	rm -rf $(FUZZ)/merged
	mkdir -p $(FUZZ)/merged $(FUZZ)/corpus
	$< -set_cover_merge=1 -use_counters=0 -max_len=500 $(FUZZ)/merged Tests/Fuzz/corpus $(FUZZ)/corpus
	rm -rf Tests/Fuzz/corpus
	mv $(FUZZ)/merged Tests/Fuzz/corpus

$(FUZZ)/millrace-fuzz: $(FUZZ_SOURCES) $(wildcard Sources/CMillrace/*/*.hpp Sources/CMillrace/include/* Tests/Fuzz/*.hpp Tests/Fuzz/include/*) | swift packages
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(FUZZ_FLAGS) $(FUZZ_SOURCES) -lsimdjson -o $@

check: swift test-packages $(TEST_PYTHON)/installed  ## the formatter in lint mode, the Dockerfile, and the unit's sandbox
	@[ ! -x $(TEST_PYTHON)/bin/hadolint ] || $(TEST_PYTHON)/bin/hadolint --ignore DL3008 --failure-threshold info Dockerfile
	$(SWIFT) format lint --strict --recursive $(SOURCES)
	@report=$$(systemd-analyze security --offline=true --no-pager --threshold=$(EXPOSURE_MAX) systemd/millrace.service) \
		|| { echo "$$report"; exit 1; }; echo "$$report" | tail -n 1
	@report=$$(systemd-analyze security --offline=true --no-pager --threshold=$(EXPOSURE_MAX) systemd/millrace-backup.service) \
		|| { echo "$$report"; exit 1; }; echo "$$report" | tail -n 1

docs: swift  ## render the guides: .build/docs, a web site
	@rm -rf .build/docs .build/guides
	@mkdir -p .build/guides/Millrace.docc
	@sed -nE 's/^\#+ //; T; s/[^A-Za-z0-9 -]//g; s/ /-/g; p' $(GUIDES)/*.md \
		| awk '{ print "s/#" tolower($$0) "[)]/#" $$0 ")/g" }' > .build/guides/anchors.sed
	@for page in $(GUIDES)/*.md; do sed -E $(FOR_DOCC) "$$page" > ".build/guides/Millrace.docc/$${page##*/}"; done
	@sed -i '1a @Metadata {\n  @TechnologyRoot\n}' .build/guides/Millrace.docc/Millrace.md
	$(DOCC) convert .build/guides/Millrace.docc --output-path .build/docs --warnings-as-errors \
		--fallback-display-name Millrace --fallback-bundle-identifier millrace
	@echo "python3 -m http.server --bind 127.0.0.1 --directory .build/docs 8000, then http://127.0.0.1:8000/documentation/millrace"

fmt: swift  ## format the sources
	$(SWIFT) format --in-place --recursive $(SOURCES)

install:  ## install the release: PREFIX=/usr, DESTDIR=; as root, after `make build`
	@test -x $(BINARY) || { echo "run \`make build\` first, as the user who owns this folder" >&2; exit 1; }
	install -D -m 0755 $(BINARY) "$(DESTDIR)$(PREFIX)/bin/millrace"
	@# What `make build` made of the binary's own help.
	@if [ -d $(BINARY).man ]; then \
		install -d "$(DESTDIR)$(PREFIX)/share/man/man1" && \
		install -m 0644 $(BINARY).man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1/" && \
		install -D -m 0644 $(BINARY).completions/bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/millrace" && \
		install -D -m 0644 $(BINARY).completions/zsh "$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_millrace" && \
		install -D -m 0644 $(BINARY).completions/fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/millrace.fish"; \
	fi
	install -d "$(DESTDIR)$(PREFIX)/share/doc/millrace/guides"
	sed 's|($(GUIDES)/|(guides/|g' README.md > "$(DESTDIR)$(PREFIX)/share/doc/millrace/README.md"
	for page in $(GUIDES)/*.md; do sed -E 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g' "$$page" \
		> "$(DESTDIR)$(PREFIX)/share/doc/millrace/guides/$${page##*/}"; done
	chmod 0644 "$(DESTDIR)$(PREFIX)/share/doc/millrace/README.md" "$(DESTDIR)$(PREFIX)/share/doc/millrace/guides/"*.md
	install -D -m 0644 -t "$(DESTDIR)$(PREFIX)/share/doc/millrace/monitoring" Sources/millrace/Monitoring/*
	install -D -m 0644 config.toml "$(DESTDIR)$(PREFIX)/share/doc/millrace/config.toml"
	install -D -m 0644 sql/roles.sql "$(DESTDIR)$(PREFIX)/share/doc/millrace/roles.sql"
	install -D -m 0644 systemd/millrace.sysusers "$(DESTDIR)$(PREFIX)/lib/sysusers.d/millrace.conf"
	install -D -m 0644 systemd/millrace.tmpfiles "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/millrace.conf"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|=/usr/bin/|=$(PREFIX)/bin/|' systemd/millrace.service \
		> "$(DESTDIR)$(PREFIX)/lib/systemd/system/millrace.service"
	sed 's|=/usr/bin/|=$(PREFIX)/bin/|; s|file:///usr/|file://$(PREFIX)/|' systemd/millrace-backup.service \
		> "$(DESTDIR)$(PREFIX)/lib/systemd/system/millrace-backup.service"
	chmod 0644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/millrace.service" \
		"$(DESTDIR)$(PREFIX)/lib/systemd/system/millrace-backup.service"
	install -m 0644 systemd/millrace-tcp.socket systemd/millrace-http.socket systemd/millrace-backup.timer \
		"$(DESTDIR)$(PREFIX)/lib/systemd/system/"
	@# An operator's own settings stay. They may hold a password: never for everyone to read, only for the daemon's group,
	@# which systemd-sysusers makes; on a new machine systemd-tmpfiles gives it the file then.
	install -d -m 0750 "$(DESTDIR)/etc/millrace"
	@cd "$(DESTDIR)/etc/millrace" && group=$$([ -n "$(DESTDIR)" ] || getent group millrace | cut -d: -f1); \
	[ -e config.toml ] || { install -m 0600 "$(CURDIR)/config.toml" config.toml && chmod 0640 config.toml && \
		{ [ -z "$$group" ] || chgrp "$$group" config.toml; }; } || exit 1; \
	for file in config.toml millrace.env; do \
		if [ -e $$file ] && [ -n "$$(find -L $$file -maxdepth 0 -perm /027)" ]; then \
			{ [ -z "$$group" ] || chgrp "$$group" $$file; } && chmod g-w,o-rwx $$file || exit 1; \
			echo "/etc/millrace/$$file was open to others; now its owner and group read it: $$(stat -Lc '%A %U %G' $$file)"; \
		fi; \
	done
	@test -n "$(DESTDIR)" || echo "next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload," \
		"the database in /etc/millrace/config.toml, systemctl enable --now millrace"

uninstall:  ## remove what `make install` installed: PREFIX=/usr, DESTDIR=; settings and data stay
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now millrace.service millrace-tcp.socket \
		millrace-http.socket millrace-backup.timer || true
	cd "$(DESTDIR)$(PREFIX)" && rm -rf bin/millrace share/doc/millrace share/man/man1/millrace.1 share/man/man1/millrace-*.1 \
		share/bash-completion/completions/millrace share/zsh/vendor-completions/_millrace \
		share/fish/vendor_completions.d/millrace.fish lib/sysusers.d/millrace.conf lib/tmpfiles.d/millrace.conf \
		lib/systemd/system/millrace.service lib/systemd/system/millrace-tcp.socket lib/systemd/system/millrace-http.socket \
		lib/systemd/system/millrace-backup.service lib/systemd/system/millrace-backup.timer
	@echo "left: /etc/millrace, /var/lib/millrace (its spool may hold events that are not in PostgreSQL), the user millrace"

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sort | sed -E 's/^([a-z-]+):.*##  ?/  make \1\t/' | expand -t 20

swift:
	@command -v $(SWIFT) >/dev/null || { \
		echo "swift is missing: install Swift 6.3 or newer for this system from https://www.swift.org/install/linux," >&2; \
		echo "and put its usr/bin on PATH" >&2; exit 1; }

$(TEST_PYTHON)/installed: Tests/requirements.txt | test-packages
	$(PYTHON) -m venv --clear $(TEST_PYTHON)
	$(TEST_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(TEST_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(TEST_PYTHON)/segment-1 $(SEGMENT_1)
	@touch $@

packages: NEEDED := $(PACKAGES)
deb-packages: NEEDED := $(DEB_PACKAGES)
deb-test-packages: NEEDED := $(DEB_TEST_PACKAGES)
test-packages: NEEDED := $(TEST_PACKAGES)
bench-packages: NEEDED := $(BENCH_PACKAGES)
failover-packages: NEEDED := $(FAILOVER_PACKAGES)
packages test-packages bench-packages failover-packages deb-packages deb-test-packages:
	@missing=; for package in $(NEEDED); do \
		[ "$$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "install with this system's packager what Debian calls:$$missing" >&2; exit 1; }; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	[ -z "$$root" ] || command -v sudo >/dev/null || { echo "as root: apt-get install$$missing" >&2; exit 1; }; \
	echo "installing:$$missing"; \
	$$root apt-get update -q && \
	$$root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get install -q -y --no-install-recommends $$missing
	@# SYSTEMD_OFFLINE: the packages' own services are not started; Millrace starts what it needs itself.
