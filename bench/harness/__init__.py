"""The benchmark harness: finds allocators, measures interleaved, and judges with stated noise."""
