"""What the tests stand on: real git, real servers, builders and rigs; never a mock of our code."""
