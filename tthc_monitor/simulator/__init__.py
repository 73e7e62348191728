"""A small simulated one-stop system, "Tỉnh Mẫu" (code H99), over real HTTP, for the demo and the tests."""
