"""Loop IR to LLVM IR as text, with explicit vectors."""
