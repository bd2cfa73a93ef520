PREFIX ?= /usr/local

.PHONY: demo test bench build release install format lint clean

# Sets up what is missing, builds, and exports against a local API into a private PostgreSQL.
demo:
	@scripts/demo

# Sets up what is missing, checks the format, builds, and passes all tests.
test:
	@scripts/test

# Measures what an export costs, beside what its parts cost without it. Takes half an hour.
bench:
	@Benchmarks/run

build:
	@scripts/install-prerequisites build
	swift build

# Builds what `make install` installs.
release:
	@scripts/install-prerequisites build
	swift build -c release --product stored-actions

# Copies the release build below PREFIX. Needs no Swift, so that it works under sudo, too.
install:
	@test -x .build/release/stored-actions || \
	    { echo "There is nothing to install yet. Run this first, as the user who has Swift: make release" >&2; exit 1; }
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 .build/release/stored-actions "$(DESTDIR)$(PREFIX)/bin/"

format:
	swift format -i -r Package.swift Sources Tests migrations Benchmarks

lint:
	swift format lint --strict -r Package.swift Sources Tests migrations Benchmarks

clean:
	swift package clean
