# Names for the commands that people and CI run. No logic here: cargo and `wharf` do the work.

## make run           build the host and the sample modules, load them into it and serve on 127.0.0.1:8080
## make plugins       build the sample modules and copy them where a host started with `make run` sees them
## make test          every test that needs no server, no root and no protoc
## make test-servers  the tests that need installed programs; installs what is missing and says so
## make check         format, lints, docs, dependencies, and the repository's own rules
## make bench         the measurements, each with its command
## make bench-servers the measurements that need servers, which it starts
## make bench-load    a million requests while a module is reloaded 200 times
## make proto         write the generated code of all .proto files again
## make help          this list

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(CURDIR)/target/tools
SUFFIX := $(if $(filter Darwin,$(shell uname)),dylib,so)
LIBRARIES := $(foreach name,hello_module greeter blog billing analytics,$(TARGET)/debug/lib$(name).$(SUFFIX))
DATA := $(or $(WHARF_DATA_DIR),.wharf)
# Unit tests that need a server have `servers` in their path; the rest of the suite is `make test`.
SERVER_TESTS := $(CARGO) test --workspace --features wharf-tests/servers,wharf-host/servers,wharf-auth/servers
# Two hosts under load, and a fuzzer: beside each other they starve on two cores.
ALONE := fuzz:: upgrades::
DENY_VERSION := 0.20.2

export PATH := $(TOOLS)/bin:$(PATH)

.PHONY: help run build plugins test test-servers check fmt clippy doc deny tidy bench bench-build bench-servers bench-load proto

help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

# Billing takes payments of the test provider; a production host names a real one in its configuration.
run: plugins
	@WHARF_MODULES__BILLING__PROVIDER=$${WHARF_MODULES__BILLING__PROVIDER-test} exec $(TARGET)/debug/wharf serve --dev

# One command for host and modules, the same as in tests/src/artifacts.rs: what they share is built once, and
# tests that run it again find nothing to do.
build:
	$(CARGO) build --workspace --lib --bins

plugins: build
	@install -d -m 0700 $(DATA) $(DATA)/plugins
	install -C -m 0700 $(LIBRARIES) $(DATA)/plugins

test: build
ifneq ($(shell command -v cargo-nextest),)
	$(CARGO) nextest run --workspace
	$(CARGO) test --workspace --doc
else
	$(CARGO) test --workspace
endif

test-servers: build
	bash tests/tools.sh $(TOOLS)
	$(TARGET)/debug/with-servers -- sh -c '$(SERVER_TESTS) --lib -- servers && $(SERVER_TESTS) --test servers -- $(ALONE:%=--skip %) \
		&& $(SERVER_TESTS) --test servers -- $(ALONE) --test-threads 1'

check: fmt clippy doc deny tidy

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

# With the private items, so that links between them are checked too.
doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --workspace --lib --no-deps --document-private-items

# Without its debug information the tool builds in about a minute on two cores.
deny: $(if $(shell command -v cargo-deny),,$(TOOLS)/bin/cargo-deny)
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources

$(TOOLS)/bin/cargo-deny:
	@echo "cargo-deny is missing: building version $(DENY_VERSION) into $(TOOLS)"
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install cargo-deny --version $(DENY_VERSION) --locked --debug --root $(TOOLS)

tidy:
	$(CARGO) test --workspace --test tidy

# Host and modules in one command, with one profile: what is compared must be built alike.
bench: bench-build
	$(TARGET)/release/wharf-bench
	$(TARGET)/release/wharf-bench database

bench-build:
	$(CARGO) build --release -p wharf-bench -p bench-plain -p bench-tokio -p bench-database -p hello-module -p greeter -p analytics -p blog \
		-p wharf -p wharf-load -p swap-old -p swap-new
	$(CARGO) build --release --manifest-path bench/database/Cargo.toml --target-dir bench/database/target

# The parts of it that need servers, with private ones that are started for it.
bench-servers: bench-build build
	bash tests/tools.sh $(TOOLS)
	for part in database events starve rabbitmq; do $(TARGET)/debug/with-servers --only postgres,rabbitmq -- $(TARGET)/release/wharf-bench $$part || exit 1; done

bench-load: bench-build
	$(TARGET)/release/wharf-load reload --requests 1000000 --reloads 200 --wharf $(TARGET)/release/wharf --libraries $(TARGET)/release

proto:
	UPDATE=1 $(CARGO) test --workspace --test generated
