"""The command line: parse, call one façade method, render."""
