PREFIX ?= /usr/local

.PHONY: demo test build install format lint clean

demo: ## Set up what is missing, build, and export against a local API into a private PostgreSQL
	@scripts/demo

test: ## Set up what is missing, build, and pass all tests
	@scripts/test

build:
	@scripts/install-prerequisites
	swift build

install: ## Install a release build below PREFIX
	@scripts/install-prerequisites
	swift build -c release --product stored-actions
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$$(swift build -c release --show-bin-path)/stored-actions" "$(DESTDIR)$(PREFIX)/bin/"

format:
	swift format -i -r Package.swift Sources Tests migrations

lint:
	swift format lint --strict -r Package.swift Sources Tests migrations

clean:
	swift package clean
