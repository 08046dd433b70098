# ocp2: build, rehearse, test. Run as root, or as a user with sudo.

SHELL := /bin/bash
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
CARGO ?= cargo
INVENTORY := inventories/lab.yaml

# To build: a C compiler and libvirt's headers. To rehearse and test: the lab's
# and the readers of what is rendered (haproxy, dnsmasq, nft, virt-xml-validate).
PACKAGES := build-essential cmake pkg-config libvirt-dev ca-certificates curl \
  mmdebstrap systemd-container iproute2 nftables openssh-client openssh-server \
  dnsmasq-base haproxy libvirt-clients libxml2-utils python3 python3-venv python3-yaml procps sudo \
  util-linux strace gpg gpg-agent gpgv

.PHONY: demo test test-full bench check lab-up lab-down setup release toolchain

# The main job: two hosts, six VMs, one command.
demo: setup release
	$(SUDO) target/release/ocp2 lab up
	$(SUDO) target/release/ocp2 lab exec workstation -- $(CURDIR)/target/release/ocp2 up --yes $(INVENTORY)
	$(SUDO) target/release/ocp2 lab exec workstation -- $(CURDIR)/target/release/ocp2 vms list $(INVENTORY)
	@echo; echo "Behind the public address of each host:"
	@$(SUDO) target/release/ocp2 lab exec workstation -- bash tests/demo.sh inventories/ocp-auth/kubeconfig
	@echo; echo "Look around: $(SUDO) target/release/ocp2 lab exec workstation -- bash"; echo "Clean up:    make lab-down"

# Everything that is tested, on real parts. Nothing is skipped: what cannot run fails.
test: setup check
	$(CARGO) test --locked
	$(CARGO) test --locked --no-run --test lab
	$(SUDO) env "PATH=$$PATH" bash tests/lab.sh $(CARGO)

# What takes long and breaks rarely, a part at a time, each within 45 minutes: `make test-full PART=kills`
# or `PART=fuzz`; tests/full.sh has a function for each.
test-full:
	@bash tests/full.sh known "$(PART)"
	@$(MAKE) --no-print-directory setup toolchain
	@bash tests/full.sh run "$(PART)" $(CARGO)

# What others take for the same work on the same hosts, and what many hosts take.
bench: setup release
	$(SUDO) bash tests/bench/bench.sh $(CURDIR)/target/release/ocp2 $(CURDIR)/target/bench

# Format and lints.
check: toolchain
	$(CARGO) fmt --all -- --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml -- --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test lab -- -D warnings

lab-up: setup release
	$(SUDO) target/release/ocp2 lab up

lab-down:
	$(SUDO) $$(ls -t target/release/ocp2 target/debug/ocp2 2>/dev/null | head -n1) lab down

release: toolchain
	$(CARGO) build --locked --release

# Debian packages, only where one is missing.
setup:
	@missing=$$(for p in $(PACKAGES); do \
	    [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || echo $$p; done); \
	  if [ -n "$$missing" ]; then \
	    $(SUDO) apt-get update -q && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; fi

toolchain:
	@command -v $(CARGO) >/dev/null || { \
	  echo "Rust 1.90 or later is needed; https://rustup.rs installs it." >&2; exit 1; }
