// Writes semver_random.tsv: ranges and versions by chance, and what Masterminds' semver says of them. The first line has
// the versions; each other one a range, and for each version 1 or 0, without prereleases and with them. A range that the
// library refuses has a hyphen for both.
//
//	go mod init make && go get github.com/Masterminds/semver/v3@71f2b39 && go run make_semver.go > semver_random.tsv
package main

import (
	"fmt"
	"math/rand"
	"strings"

	"github.com/Masterminds/semver/v3"
)

var chance = rand.New(rand.NewSource(20261128))

func pick(from string) string {
	words := strings.Split(from, ",")
	return strings.ReplaceAll(words[chance.Intn(len(words))], "_", " ")
}

func bound() string {
	text := pick(",,,v") + pick("0,0,1,1,2,*,x")
	for part := 0; part < 2 && chance.Intn(4) > 0; part++ {
		text += "." + pick("0,0,1,2,3,x,X,*")
	}
	return text + pick(strings.Repeat(",", 20)+strings.Repeat("-0,-alpha,-alpha.1,-beta,-rc.10,-1,", 2)+"-01,-a..b") + pick(strings.Repeat(",", 40)+"+b1,+b.01,+b1,+b.01,+")
}

func comparison() string {
	return pick(strings.Repeat("=,!=,>,<,>=,=>,<=,=<,~,~>,^,,,", 4)+",=!,<>") + pick(",,,_,__") + bound()
}

func alternative() string {
	// A hyphen range behind a blank is refused there, and read here.
	text := comparison()
	if chance.Intn(4) == 0 {
		text = bound() + pick("_-_,_-_,_-_,__-_,_-__,-,_-") + bound()
	}
	for chance.Intn(3) == 0 {
		if chance.Intn(6) == 0 {
			text += pick("\\,\\_,_\\_") + bound() + " - " + bound()
		} else {
			text += pick("_,__,_,__,\\,\\_,_\\_,_,\\_,\\\\") + comparison()
		}
	}
	return pick(",,,_") + strings.ReplaceAll(text, "\\", ",") + pick(",,,_")
}

func main() {
	var versions []*semver.Version
	for _, numbers := range strings.Fields("0.0.0 0.0.1 0.0.3 0.1.0 0.1.2 0.2.1 1.0.0 1.0.1 1.1.0 1.1.3 1.2.0 1.2.3 1.3.0 2.0.0 2.1.2 3.0.0") {
		for _, suffix := range []string{"", "-0", "-alpha", "-alpha.1", "-beta+x", "-rc.9"} {
			versions = append(versions, semver.MustParse(numbers+suffix))
		}
	}
	for _, version := range versions {
		fmt.Print(version, " ")
	}
	fmt.Println()
	seen := map[string]bool{}
	for len(seen) < 1000 {
		text := alternative()
		for chance.Intn(5) == 0 {
			next := alternative()
			if strings.Contains(text+next, "- ") {
				// There, a hyphen range takes bars that touch it for its own.
				text += " "
				next = " " + next
			}
			text += "||" + next
		}
		if seen[text] {
			continue
		}
		seen[text] = true
		fmt.Printf("%s\t%s\n", text, answers(text, versions))
	}
}

func answers(text string, versions []*semver.Version) string {
	constraint, err := semver.NewConstraint(text)
	if err != nil {
		return "-\t-"
	}
	bits := func(prereleases bool) (bits string) {
		constraint.IncludePrerelease = prereleases
		for _, version := range versions {
			bits += map[bool]string{true: "1", false: "0"}[constraint.Check(version)]
		}
		return bits
	}
	return bits(false) + "\t" + bits(true)
}
