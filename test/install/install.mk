# install.mk - what is installed, and how it is built: suite-install, a part of `make check`. Long
# ones for once a week: `make check-bare`, `make check-dist`, `make check-deb`.
suite-install:
	$(call SUITE,LIMIT=900) $(call scripts,install)
prepare-install: all

# In a bare Debian, made by debootstrap; root only. The demo, and groups that use every package that
# the tests name; BARE_GROUPS chooses others. WHOLE=1: both commands of README, for an hour.
BARE_GROUPS ?= debug fuzz main
check-bare:
	@scripts/bare.sh 'sh scripts/demo.sh' \
	        $(if $(WHOLE),'make check','make $(BARE_GROUPS:%=check-%)')

check-deb:
	@scripts/bare.sh 'apt-get update -qq && apt-get install -y -qq make >/dev/null 2>&1 && \
	        bash scripts/deb_bare.sh'
# The tarball of `make dist`: builds and passes where nothing of the checkout is, git neither.
DIST_GROUPS ?= main
check-dist: dist
	@rm -rf build/dist && mkdir -p build/dist && tar -xzf build/$(DIST).tar.gz -C build/dist
	@env -u MAKEFLAGS -u MFLAGS GIT_CEILING_DIRECTORIES=$(call quote,$(CURDIR)/build) \
	        $(MAKE) --no-print-directory -C build/dist/$(DIST) \
	        $(DIST_GROUPS:%=check-%)
	@rm -rf build/dist
# The recipes of src/doc/recipes.md, with the programs that are installed.
check-recipes: all
	@scripts/recipes.sh
.PHONY: check-bare check-deb check-dist check-recipes
