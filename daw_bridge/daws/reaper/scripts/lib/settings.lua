-- What the installation knows: the command that runs errands, where they lie, and the version of both.
return {
  command = { "@COMMAND@" },
  errands = "@ERRANDS@",
  version = "@VERSION@",
}
