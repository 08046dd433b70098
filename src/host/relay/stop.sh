# One stop of a relay: takes a file from the stop before it and gives it to the one behind it.
#
# Runs in a transient unit of systemd's whose RuntimeDirectory is private and ends with it. Before
# this text stand the variables file, part, mode, size, sha256 (empty where it is not known yet), address,
# port and role, and the functions hash, reach and follow. Orders come on stdin, a line each; the unit
# ends with stdin, or two minutes after the last line.
#
# Both ends of every leg prove who they are with a key made here for this one relay: the private
# half never leaves this folder, the public one is told to the neighbours over SSH. openssl's own
# little web server is what every host has; what it serves is a named pipe, so that a stop gives
# away what it has while the rest is still on its way.
set -u -o pipefail
umask 077
# Each job is a group of its own and ends with this shell; that systemd ends what is left of a
# unit is not to be relied on in every container.
set -m
# With that bash tells of every job's end. What is for us goes another way.
exec 7>&2 2>/dev/null
trap 'for job in $(jobs -p); do kill -- "-$job" 2>/dev/null; done' EXIT
cd "$RUNTIME_DIRECTORY" || exit 1

printf '[req]\ndistinguished_name=dn\n[dn]\n' >request
openssl req -x509 -config request -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj /CN=ocp2 -days 1 -keyout key -out certificate 2>said || { cat said >&7; exit 1; }
mkdir nobody
mkfifo data
: >sum
# Nobody else is trusted, whatever the system trusts.
export SSL_CERT_FILE=$PWD/nobody/file SSL_CERT_DIR=$PWD/nobody

from=$part
[ "$role" != source ] || from=$file

# What goes wrong is said, and told by the unit's end too.
fail() {
    : >failed
    echo "failed $1"
}

bytes() { stat -L -c %s -- "$1" 2>/dev/null || echo 0; }

# Tells what is here already.
look() {
    if [ "$role" = growing ]; then
        # It is just coming here from where ocp2 runs.
        echo "has all"
    elif [ "$role" = source ]; then
        [ -f "$file" ] || { echo "there is no $file" >&7; exit 1; }
        [ "$(bytes "$file")" = "$size" ] || { echo "$file has $(bytes "$file") bytes, not $size" >&7; exit 1; }
        # One without holes need not be searched for them.
        [ "$(($(stat -L -c %b -- "$file") * 512))" -ge "$size" ] || echo holes
        echo "has all"
    elif [ -n "$sha256" ] && [ "$(bytes "$file")" = "$size" ] && [ -f "$file" ] &&
        [ "$(hash <"$file" | cut -c1-64)" = "$sha256" ]; then
        echo "has all"
    else
        folder=${file%/*}
        [ -d "$folder" ] || install -d -m 711 -- "$folder" 2>&7 || exit 1
        # What was left of another image is of no use.
        for old in "$file".*.part; do
            [ "$old" = "$part" ] || rm -f -- "$old"
        done
        echo "has $(bytes "$part")"
    fi
}

# begin OFFSET: keeps the first OFFSET bytes of what is here.
begin() {
    if [ "$1" = 0 ]; then
        rm -f -- "$part" && : >"$part"
    else
        truncate -s "$1" -- "$part"
    fi && echo begun
}

# give CERTIFICATE OFFSET: serves the file from OFFSET on to the owner of CERTIFICATE.
give() {
    base64 -d <<<"$1" >next
    openssl s_server -accept "$address:$port" -cert certificate -key key -CAfile next -no-CApath \
        -Verify 1 -verify_return_error -no_check_time -tls1_3 -WWW </dev/null >/dev/null 2>served &
    server=$!
    if [ "$role" = source ] && [ "$2" = 0 ]; then
        # All of it is here: it need not go through two more pipes.
        ln -sf -- "$from" data
    else
        follow "$from" "$2" "$size" >data 2>/dev/null &
    fi
    for _ in {1..100}; do
        kill -0 "$server" 2>/dev/null || break
        if [ -n "$(ss -Hltn "src $address:$port")" ]; then
            echo giving
            return
        fi
        sleep 0.05
    done
    tail -n 1 served >&7
    fail give
}

# take ADDRESS CERTIFICATE OFFSET [hash] [holes]: gets the rest from the owner of CERTIFICATE.
#
# Only who is told so hashes what it has: what another stop got from here, and hashed, was read from
# this file.
take() {
    base64 -d <<<"$2" >before
    pin=$(openssl x509 -in before -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
    write "$@" &
    writer=$!
    while sleep 0.5; do echo "at $(bytes "$part")"; done &
    teller=$!
    if [[ " ${4-} " = *" hash "* ]]; then follow "$part" 0 "$size" "$writer" | hash >sum; fi
    wait "$writer"
    wrote=$?
    kill "$teller"
    got=$(cat status)
    case $wrote,$got in
    0,0)
        echo "at $(bytes "$part")"
        echo "arrived $(bytes "$part") $(cut -c1-64 sum)"
        ;;
    # What curl could not write, it does not say why.
    *,0 | *,23)
        if [ ! -s written ] && { printf x >>"$part"; } 2>written; then truncate -s -1 -- "$part"; fi
        cat written >&7
        fail write
        ;;
    *)
        cat got >&7
        fail take
        ;;
    esac
}

# write ADDRESS CERTIFICATE OFFSET [hash] [holes]: writes what comes behind what is here; holes stay holes.
write() {
    if [[ " ${4-} " = *" holes "* ]]; then
        get "$1" | dd of="$part" bs=64K oflag=seek_bytes seek="$3" iflag=fullblock conv=sparse,notrunc status=none 2>written
    else
        get "$1" >>"$part"
    fi
}

# get ADDRESS: prints what the stop before this one gives.
get() {
    curl -q -sS -f -k --noproxy '*' --tlsv1.3 --cert certificate --key key --pinnedpubkey "sha256//$pin" \
        --connect-timeout 30 --speed-limit 1 --speed-time 60 "https://$1:$port/data" 2>got
    status=$?
    echo "$status" >status
    return "$status"
}

# keep: gives the file its name, once it is on the disk.
keep() {
    if chmod -- "$mode" "$part" 2>&7 && sync -- "$part" 2>&7 && mv -f -T -- "$part" "$file" 2>&7 &&
        sync -- "${file%/*}" 2>&7; then
        echo kept
    else
        fail write
    fi
}

look
echo "certificate $(base64 -w0 certificate)"
while read -r -t 120 word one two three four; do
    case $word in
    begin) begin "$one" 2>&7 || exit 1 ;;
    give) give "$one" "$two" ;;
    take) take "$one" "$two" "$three" "$four" & ;;
    keep) keep ;;
    drop) rm -f -- "$part" ;;
    esac
done
[ ! -e failed ]
