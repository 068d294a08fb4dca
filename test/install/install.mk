# install.mk - what is installed, and how it is built: suite-install, a part of `make check`. Long
# ones for once a week: `make check-bare`, `make check-dist`, `make check-deb`.
suite-install:
	$(call SUITE,LIMIT=900) $(call scripts,install)
prepare-install: all

# In a bare Debian, made by debootstrap; root only. BARE_TARGETS chooses what make is asked there.
check-bare:
	@scripts/bare.sh $(BARE_TARGETS)

.PHONY: check-bare
