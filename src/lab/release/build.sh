#!/bin/sh
# Builds what the mirror serves: build.sh VERSION CHANNEL OUT
#
# Runs inside the hosts' root with the sources in /mnt/parts; makes the real
# mirror's own layout, with a stand-in in every place.
set -eu
version=$1 channel=$2 out=$3
work=/mnt/parts
. $work/guest/build.sh

root=$out/pub/openshift-v4/x86_64
stream=dependencies/rhcos/${version%.*}/$version
mirror=http://mirror.lab.test/pub/openshift-v4/x86_64
iso=rhcos-$version-x86_64-live.x86_64.iso
clients=$root/clients/ocp/$version
mkdir -p "$root/$stream" "$clients"
build_image $work "$root/$stream/$iso"
sum=$(sha256sum "$root/$stream/$iso")
sum=${sum%% *}

# The disk image of the UPI workflow holds the same system, which then asks the firmware what it is to be.
disk=rhcos-$version-x86_64-qemu.x86_64.qcow2
cp "$root/$stream/$iso" /mnt/disk.raw
python3 $work/guest/regions.py disk /mnt/disk.raw
qemu-img convert -O qcow2 /mnt/disk.raw "/mnt/$disk"
plain=$(sha256sum "/mnt/$disk")
gzip -n -1 "/mnt/$disk"
mv "/mnt/$disk.gz" "$root/$stream/"
packed=$(sha256sum "$root/$stream/$disk.gz")

# One file that runs wherever there is Python: the sources and PyYAML in an archive.
app=/mnt/installer
cp -r $work/installer $app
cp $work/guest/standin/medium.py $app/
mkdir $app/yaml
cp /usr/lib/python3/dist-packages/yaml/*.py $app/yaml/
sed -i "s|@VERSION@|$version|; s|@ISO_SHA256@|$sum|
    s|@ISO_URL@|$mirror/$stream/$iso|; s|@DISK_URL@|$mirror/$stream/$disk.gz|
    s|@DISK_SHA256@|${packed%% *}|; s|@DISK_PLAIN_SHA256@|${plain%% *}|" $app/*.py
mkdir /mnt/package
package() {
    python3 -m zipapp --python /usr/bin/python3 --output "/mnt/package/$1" "$2"
    chmod 0755 "/mnt/package/$1"
}
package oc $work/client
package openshift-install $app
sed -i 's|@FIPS@|yes|' $app/install_config.py
package openshift-install-fips $app
cp $work/README.md /mnt/package/README.md
# A mirrored repository with the release image and the image of its ISO, as far as anybody takes something
# out of them. The stand-in counts releases by the installer, so either of the two has its own.
images=$out/registry/openshift/release
mkdir -p "$images/sha256-$sum/coreos"
ln "$root/$stream/$iso" "$images/sha256-$sum/coreos/coreos-x86_64.iso"
for program in openshift-install-fips openshift-install; do
    digest=$(sha256sum "/mnt/package/$program")
    digest=${digest%% *}
    mkdir "$images/sha256-$digest"
    cp "/mnt/package/$program" "$images/sha256-$digest/openshift-install"
    echo "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:$sum" >"$images/sha256-$digest/machine-os-images"
done
cp -r "$images/sha256-$digest" "$images/$version-x86_64"
(
    cd "$clients"
    for program in install-linux:openshift-install install-rhel9-amd64:openshift-install-fips client-linux:oc; do
        archive=openshift-${program%:*} file=${program#*:}
        tar -czf "$archive-$version.tar.gz" --owner=0 --group=0 -C /mnt/package README.md $file
        ln "$archive-$version.tar.gz" $archive.tar.gz
    done
    {
        printf 'Client tools for OpenShift\n--------------------------\n\n'
        printf 'These archives are the stand-in of the ocp2 lab.\n\n---\n\n'
        printf 'Name:           %s\nDigest:         sha256:%s\nOS/Arch:        linux/amd64\n\n' "$version" "$digest"
        printf 'Pull From: mirror.lab.test/openshift/release@sha256:%s\n\n' "$digest"
        printf 'Release Metadata:\n  Version:  %s\n' "$version"
    } >release.txt
    sha256sum -- *.tar.gz release.txt >sha256sum.txt
    # Signed by a key of the lab's own, with the text in the message. RSA, for hosts in FIPS mode know it.
    mkdir -m 700 /mnt/gnupg
    export GNUPGHOME=/mnt/gnupg
    gpg --batch --quiet --passphrase '' --quick-generate-key 'Stand-in release of the ocp2 lab' rsa3072 sign never
    gpg --batch --quiet --output sha256sum.txt.gpg --sign sha256sum.txt
    gpg --armor --export >"$out/mirror-key.asc"
    gpgconf --kill all
)
# Of a channel, the newest.
ln -s "$version" "$root/clients/ocp/$channel"
