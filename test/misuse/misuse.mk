# misuse.mk - `make misuse` prints which misuse every installed allocator catches;
# MISUSE='--allocators myalloc --reasons' chooses and explains.
misuse: libmyalloc.so
	@python3 test/misuse/run.py $(MISUSE)

# Alone, by `make -f test/misuse/misuse.mk`, it has the library made first.
ifndef FLOORS
libmyalloc.so:
	@$(MAKE) --no-print-directory libmyalloc.so
endif

.PHONY: misuse
