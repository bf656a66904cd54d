// Command gotar answers what Go's archive/tar does, for the differential tests of the tar codec.
// One JSON request a line on stdin, one JSON answer a line on stdout; byte strings are base64.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

type entry struct {
	Name, Linkname     []byte
	Type               byte
	Mode, Size         int64
	Uid, Gid           int
	Mtime              int64
	Devmajor, Devminor int64
	Xattrs             map[string][]byte
	Sha256             string
}

type request struct {
	Write *entry
	Read  []byte
}

type answer struct {
	Header  []byte  `json:",omitempty"`
	Entries []entry `json:",omitempty"`
	Error   string  `json:",omitempty"`
}

func write(e *entry) answer {
	var out bytes.Buffer
	header := &tar.Header{
		Typeflag: e.Type, Name: string(e.Name), Linkname: string(e.Linkname), Mode: e.Mode, Size: e.Size, Uid: e.Uid, Gid: e.Gid,
		ModTime: time.Unix(e.Mtime, 0), Devmajor: e.Devmajor, Devminor: e.Devminor, Format: tar.FormatPAX,
	}
	for key, value := range e.Xattrs {
		if header.PAXRecords == nil {
			header.PAXRecords = map[string]string{}
		}
		header.PAXRecords["SCHILY.xattr."+key] = string(value)
	}
	if err := tar.NewWriter(&out).WriteHeader(header); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Header: out.Bytes()}
}

func read(archive []byte) (result answer) {
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return result
		}
		if err != nil {
			result.Error = err.Error()
			return result
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		sum := sha256.New()
		if header.Size < 1<<28 {
			if _, err := io.Copy(sum, reader); err != nil {
				result.Error = err.Error()
				return result
			}
		}
		e := entry{
			Name: []byte(header.Name), Linkname: []byte(header.Linkname), Type: header.Typeflag, Mode: header.Mode & 07777, Size: header.Size,
			Uid: header.Uid, Gid: header.Gid, Mtime: header.ModTime.Unix(), Devmajor: header.Devmajor, Devminor: header.Devminor,
			Sha256: hex.EncodeToString(sum.Sum(nil)),
		}
		for key, value := range header.PAXRecords {
			const prefix = "SCHILY.xattr."
			if len(key) > len(prefix) && key[:len(prefix)] == prefix {
				if e.Xattrs == nil {
					e.Xattrs = map[string][]byte{}
				}
				e.Xattrs[base64.StdEncoding.EncodeToString([]byte(key[len(prefix):]))] = []byte(value)
			}
		}
		result.Entries = append(result.Entries, e)
	}
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var r request
			if err := json.Unmarshal(line, &r); err != nil {
				panic(err)
			}
			if r.Write != nil {
				out.Encode(write(r.Write))
			} else {
				out.Encode(read(r.Read))
			}
		}
		if err != nil {
			return
		}
	}
}
