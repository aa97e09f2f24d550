# What `nix profile install` has installed: of the user, and of root for all.
export NIX_PROFILES="/nix/var/nix/profiles/default $HOME/.nix-profile"
export PATH="$HOME/.nix-profile/bin:/nix/var/nix/profiles/default/bin:$PATH"
export XDG_DATA_DIRS="$HOME/.nix-profile/share:/nix/var/nix/profiles/default/share:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}"
# Programs of the store know no path of this system's certificates.
export NIX_SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Without it nix would make a store of its own in the home of a user whom the daemon does not serve.
[ "$(id -u)" = 0 ] || export NIX_REMOTE=daemon
