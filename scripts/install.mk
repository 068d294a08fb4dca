# install.mk - `make install`, `make uninstall`, `make dist`, `make deb`. PREFIX, LIBDIR, DESTDIR.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DIST   := myalloc-$(VERSION)

INSTALL = B=$(call quote,$(B)) VERSION=$(VERSION) PREFIX=$(call quote,$(PREFIX)) \
        LIBDIR=$(call quote,$(LIBDIR)) DESTDIR=$(call quote,$(DESTDIR)) scripts/install.sh
install: all
	@$(INSTALL) install
uninstall:
	@$(INSTALL) uninstall

# The sources as committed: nothing of the time or of the machine comes in.
dist:
	@mkdir -p build
	@git archive --format=tar --prefix=$(DIST)/ -o build/$(DIST).tar HEAD
	@gzip -9nf build/$(DIST).tar
	@echo build/$(DIST).tar.gz
deb:
	@VERSION=$(VERSION) scripts/deb.sh

.PHONY: install uninstall dist deb
