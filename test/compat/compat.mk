# compat.mk - `make compat` runs real programs under every allocator that is installed and compares
# with glibc; `make compat-setup` installs them. COMPAT='php redis' chooses cases, COMPAT=--quick
# the short ones.
COMPAT_JSON ?= build/compat.json

compat: libmyalloc.so
	@mkdir -p $(dir $(COMPAT_JSON))
	@python3 test/compat/run.py --json $(COMPAT_JSON) $(COMPAT)
compat-setup:
	@test/compat/setup.sh

# Alone, by `make -f test/compat/compat.mk`, it has the library made first.
ifndef FLOORS
libmyalloc.so:
	@$(MAKE) --no-print-directory libmyalloc.so
endif

.PHONY: compat compat-setup
