{
  description = "What can be built without a network: a program that says hello.";

  outputs = { self }: {
    packages.x86_64-linux.default = derivation {
      name = "hello";
      system = "x86_64-linux";
      builder = "/bin/sh"; # of the sandbox, and static
      args = [ "-c" "echo hello > $out" ];
    };
  };
}
