PREFIX ?= /usr/local

.PHONY: demo test build install format lint clean

# Sets up what is missing, builds, and exports against a local API into a private PostgreSQL.
demo:
	@scripts/demo

# Sets up what is missing, checks the format, builds, and passes all tests.
test:
	@scripts/test

build:
	@scripts/install-prerequisites build
	swift build

# Installs a release build below PREFIX.
install:
	@scripts/install-prerequisites build
	swift build -c release --product stored-actions
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$$(swift build -c release --show-bin-path)/stored-actions" "$(DESTDIR)$(PREFIX)/bin/"

format:
	swift format -i -r Package.swift Sources Tests migrations

lint:
	swift format lint --strict -r Package.swift Sources Tests migrations

clean:
	swift package clean
