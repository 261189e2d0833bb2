package codec

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// frames reads all frames with a buffer of a size, and the error at the end.
func frames(stream io.Reader, size int) ([]string, error) {
	reader := lineFramer{}.NewFrameReader(io.NopCloser(stream))
	var all []string
	var frame strings.Builder
	for buffer := make([]byte, size); ; {
		n, err := reader.Read(buffer)
		frame.Write(buffer[:n])
		switch {
		case errors.Is(err, io.ErrShortBuffer) && n > 0:
		case err != nil:
			return all, err
		default:
			all = append(all, frame.String())
			frame.Reset()
		}
	}
}

func TestEachLineIsAFrame(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	for sentence, row := range map[string]struct {
		stream string
		want   []string
		err    error
	}{
		"lines":                                 {"{1}\n{22}\n", []string{"{1}", "{22}"}, io.EOF},
		"an empty line is skipped":              {"\n{1}\n\r\n{2}\n", []string{"{1}", "{2}"}, io.EOF},
		"lines that end with CR LF":             {"{1}\r\n{2}\r\n", []string{"{1}", "{2}"}, io.EOF},
		"lines that are longer than any buffer": {long + "\n{1}\n" + long + "\n", []string{long, "{1}", long}, io.EOF},
		"a line as long as the buffer within":   {long[:16<<10] + "\n{1}\n", []string{long[:16<<10], "{1}"}, io.EOF},
		"a line one shorter than that buffer":   {long[:16<<10-1] + "\n{1}\n", []string{long[:16<<10-1], "{1}"}, io.EOF},
		"a stream that ends within a line":      {"{1}\n{2", []string{"{1}"}, io.ErrUnexpectedEOF},
		"one that ends within a long line":      {"{1}\n" + long, []string{"{1}"}, io.ErrUnexpectedEOF},
		"no line":                               {"", nil, io.EOF},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, size := range []int{7, 1024, 64 << 10} {
				for _, stream := range []io.Reader{strings.NewReader(row.stream), iotest.OneByteReader(strings.NewReader(row.stream))} {
					got, err := frames(stream, size)
					if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) {
						t.Errorf("buffer of %d: %v, want %v; frames (-want +got):\n%s", size, err, row.err, diff)
					}
				}
			}
		})
	}
}

func TestConnectionErrorIsReturned(t *testing.T) {
	broken := errors.New("broken")
	got, err := frames(io.MultiReader(strings.NewReader("{1}\n{2"), iotest.ErrReader(broken)), 10)
	if diff := cmp.Diff([]string{"{1}"}, got); diff != "" || !errors.Is(err, broken) {
		t.Errorf("%v; frames (-want +got):\n%s", err, diff)
	}
}
