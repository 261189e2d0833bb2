package panels

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"time"
)

// The picture's measures, in pixels.
const (
	columnWidth = 50
	lineHeight  = 26
	headHeight  = 60
	border      = 12
	gap         = 8 // between panels
	gridColumns = 24
	boldWidth   = 0.64 // of the usual bold letter, for each pixel of its size
)

// style keeps the picture readable on light and dark pages. A program without support for
// dark pages draws the light version.
const style = `<style>
.board{fill:#f4f5f5}.card{fill:#ffffff;stroke:#d5d7da}.text{fill:#24292f}.faint{fill:#5f6670}.grid{stroke:#e3e5e8}
@media (prefers-color-scheme:dark){.board{fill:#111217}.card{fill:#181b1f;stroke:#2c3235}.text{fill:#d8d9da}.faint{fill:#9aa0a6}.grid{stroke:#2c3235}}
</style>
`

// A Picture is rows of panels with the results of their queries.
type Picture struct {
	Title, Caption string
	// From and To are the ends of the time axis.
	From, To time.Time
	// Step is the time between points. A line has a gap if points are further apart.
	Step time.Duration
	Rows []Row
	// Series are the series of each panel, by title.
	Series map[string][]Series
}

// Draw returns the picture as an SVG. It fails if the unit of a panel is unknown.
func Draw(p Picture) ([]byte, error) {
	if len(p.Rows) == 0 {
		return nil, fmt.Errorf("drawing %q: there are no rows", p.Title)
	}
	top, bottom := p.Rows[0].Place.Y, 0
	for _, row := range p.Rows {
		for _, panel := range row.Panels {
			bottom = max(bottom, panel.Place.Y+panel.Place.H)
		}
	}
	width := 2*border + gridColumns*columnWidth
	height := headHeight + (bottom-top)*lineHeight + border
	c := &canvas{}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`, width, height)
	c.out.WriteString(style)
	c.printf(`<rect class="board" width="%d" height="%d"/>`, width, height)
	c.text(border, 26, `class="text" font-size="18" font-weight="bold"`, p.Title)
	c.text(border, 46, `class="faint" font-size="12"`, p.Caption)
	for _, row := range p.Rows {
		heading := place(row.Place, top)
		c.text(border, heading.top+18, `class="text" font-size="14" font-weight="bold"`, row.Title)
		for _, panel := range row.Panels {
			if err := p.drawPanel(c, panel, place(panel.Place, top)); err != nil {
				return nil, err
			}
		}
	}
	c.printf(`</svg>`)
	return c.out.Bytes(), nil
}

func (p Picture) drawPanel(c *canvas, panel Panel, at box) error {
	write, known := units[panel.Unit]
	if !known {
		return fmt.Errorf("drawing %q: the unit %q is unknown", panel.Title, panel.Unit)
	}
	c.printf(`<rect class="card" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`, at.left, at.top, at.width, at.height)
	// A long title of a narrow panel has smaller letters.
	size := min(12, (at.width-20)/(float64(len(panel.Title))*boldWidth))
	c.text(at.left+10, at.top+18, fmt.Sprintf(`class="text" font-size="%.1f" font-weight="bold"`, size), panel.Title)
	if panel.Kind == Stat {
		drawNumber(c, panel, at, last(p.Series[panel.Title]), write)
		return nil
	}
	p.drawLines(c, panel, at, write)
	return nil
}

func drawNumber(c *canvas, panel Panel, at box, value float64, write func(float64) string) {
	text, fill := "no data", `class="faint"`
	if finite(value) {
		text, fill = write(value), fmt.Sprintf(`fill="%s"`, panel.color(value))
	}
	c.text(at.left+at.width/2, at.top+at.height/2+20, fill+` text-anchor="middle" font-size="28" font-weight="bold"`, text)
}

// named are the colors of the dashboard, in shades that are readable on white and on black.
var named = map[string]string{"green": "#37872d", "orange": "#d9771e", "red": "#d6353f", "blue": "#3c7fd9"}

// color returns the color of the highest step that the value has reached.
func (p Panel) color(value float64) string {
	color := named["blue"]
	for _, step := range p.Steps {
		if known := named[step.Color]; value >= step.From && known != "" {
			color = known
		}
	}
	return color
}

// A box is a rectangle in pixels.
type box struct{ left, top, width, height float64 }

// place returns the box of a rectangle of the grid, if the line top is the first.
func place(p Place, top int) box {
	return box{
		left:   float64(border + p.X*columnWidth),
		top:    float64(headHeight + (p.Y-top)*lineHeight),
		width:  float64(p.W*columnWidth - gap),
		height: float64(p.H*lineHeight - gap),
	}
}

// A canvas is the text of the picture.
type canvas struct{ out bytes.Buffer }

// printf writes one element on a line of its own.
func (c *canvas) printf(format string, values ...any) {
	fmt.Fprintf(&c.out, format+"\n", values...)
}

func (c *canvas) text(x, y float64, style, content string) {
	c.printf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, style, html.EscapeString(content))
}

// path writes the points as lines, which begin again after a point that is NaN.
func (c *canvas) path(color string, xs, ys []float64) {
	c.out.WriteString(`<path fill="none" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" stroke="` + color + `" d="`)
	command := "M"
	for i := range xs {
		if math.IsNaN(ys[i]) {
			command = "M"
			continue
		}
		fmt.Fprintf(&c.out, "%s%.1f %.1f", command, xs[i], ys[i])
		if command == "M" {
			c.out.WriteString("h0") // a point without neighbors is a dot
		}
		command = "L"
	}
	c.out.WriteString("\"/>\n")
}
